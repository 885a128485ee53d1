package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// Forty meters behind one serial server are a page, not forty.
func TestCheckManyAlike(t *testing.T) {
	t.Parallel()
	text := "[[inputs.dlms_cosem]]\nendpoint = \"tcp://10.0.0.5:8000\"\nframing = \"hdlc\"\n"
	for i := range 40 {
		text += fmt.Sprintf("[[inputs.dlms_cosem.request]]\nname = \"flat %d\"\nphysical_address = %d\n", i+1, i+17)
		text += "[[inputs.dlms_cosem.request.item]]\nname = \"energy\"\nobis = \"1.0.1.8.0.255\"\n"
	}
	r := execute(t, "check", "-config", configFile(t, text))
	require.Equal(t, exitOK, r.status, r.err)
	require.Contains(t, r.out, `
tcp://10.0.0.5:8000: 40 requests, one after the other
  40 requests alike
    REQUEST  METER    PHYSICAL ADDRESS
    flat 1   flat 1   17
    flat 2   flat 2   18
`)
	require.True(t, strings.HasSuffix(r.out, `
    flat 40  flat 40  56
    runs     at each gather tick: a newline on standard input, or every -poll_interval
    speaks   hdlc, client 16, authentication none
    address  logical 1
    timeout  30s
    layout   obis
    1 item  OBIS           ATTRIBUTE  CLASS
    energy  1.0.1.8.0.255  2          3 Register, by the code
`), r.out)
	require.Equal(t, 52, strings.Count(r.out, "\n"))
}

// Of several devices the silent ones are named, and the others read.
func TestGetSeveral(t *testing.T) {
	t.Parallel()
	url := simulated(t, "-framing", "hdlc", "-physical_address", "1,2")
	get := func(addresses string, codes ...string) result {
		args := []string{"get", url, "-framing", "hdlc", "-physical_address", addresses, "-reply_timeout", "100ms", "-retries", "0"}
		return execute(t, append(args, codes...)...)
	}
	r := get("4,1,5,2", "1.0.1.8.0.255")
	require.Equal(t, exitFailed, r.status)
	require.Regexp(t, `^ADDRESS .*\n1 .* Wh\n2 .* Wh\n$`, r.out)
	require.Regexp(t, `^telegraf-dlms get: address 4: SNRM: no answer .*\ntelegraf-dlms get: address 5: SNRM: no answer .*\nhint: address 4, 5: nobody answers: .*\n$`, r.err)

	r = get("1,2,4", "1.0.1.8.0.255", "9.9.9.9.9.9")
	require.Equal(t, exitFailed, r.status)
	require.Regexp(t, `^telegraf-dlms get: address 4: SNRM: .*\nhint: address 4: nobody answers: .*\nhint: address 1, 2: set class .*\n$`, r.err)

	r = get("4", "1.0.1.8.0.255")
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.out)
	require.Regexp(t, `^telegraf-dlms get: SNRM: no answer .*\nhint: nobody answers: .*\n$`, r.err)
}

func TestGetStructure(t *testing.T) {
	t.Parallel()
	url := simulated(t)
	r := execute(t, "get", url, "-framing", "wrapper", "-format", "json", "0.0.40.0.0.255", "1.0.1.8.0.255:3", "1.0.1.8.0.255")
	require.Equal(t, exitOK, r.status, r.err)
	var list []struct {
		OBIS  string `json:"obis"`
		Value any    `json:"value"`
		Text  string `json:"text"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &list))
	objects, ok := list[0].Value.([]any)
	require.True(t, ok)
	require.Greater(t, len(objects), 50, "the whole list")
	require.Len(t, objects[0], 4)
	require.Empty(t, list[0].Text)
	require.Equal(t, []any{0.0, 30.0}, list[1].Value)
	require.IsType(t, 0.0, list[2].Value)

	r = execute(t, "get", url, "-framing", "wrapper", "0.0.40.0.0.255")
	require.Equal(t, exitOK, r.status, r.err)
	require.Greater(t, len(r.out), 5000, "whole if it goes to no terminal")
	require.Contains(t, r.out, "array(7){structure(3){integer 1, enum 1, null-data}")
	require.True(t, strings.HasSuffix(r.out, "}\n"), "not cut")
}

func TestJSONData(t *testing.T) {
	t.Parallel()
	b := axdr.AppendStructure(nil, 8)
	b = axdr.AppendNull(b)
	b = axdr.AppendLong64Unsigned(b, 1<<63)
	b = axdr.AppendFloat64(b, 1.5)
	b = axdr.AppendBoolean(b, true)
	b = axdr.AppendOctetString(b, []byte{0, 255})
	b = axdr.AppendVisibleString(b, "a\xff")
	b = axdr.AppendBitString(b, []byte{0xa0}, 3)
	b = axdr.AppendArray(b, 0)
	d, err := axdr.Parse(b)
	require.NoError(t, err)
	got, err := json.Marshal(jsonData(d))
	require.NoError(t, err)
	require.Equal(t, `[null,9223372036854775808,1.5,true,"00ff","a`+"\ufffd"+`","101",[]]`, string(got))
	require.Equal(t, d.String(), wholeText(d))
}

func TestWriteTableCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 30)
	readings := []dlms_cosem.Reading{
		{OBIS: "1.0.1.8.0.255", Attribute: 2, Class: 3, Type: "unsigned", Text: "5", Unit: "Wh"},
		{OBIS: "0.0.42.0.0.255", Attribute: 2, Class: 1, Type: "octet-string", Text: long},
		{OBIS: "0.0.42.0.0.255", Attribute: 3, Class: 1, Err: errors.New(long)},
	}
	for width, want := range map[int]int{80: 80, 100: 100, 10: 48 + leastValue, 0: 48 + len(long)} {
		var b bytes.Buffer
		writeTable(&b, readings, width)
		lines := strings.Split(b.String(), "\n")
		require.Equal(t, want, utf8.RuneCountInString(lines[2]), "%d:\n%s", width, lines[2])
		require.Equal(t, width > 0, strings.HasSuffix(lines[2], "…"))
		require.True(t, strings.HasSuffix(lines[3], long), "reasons stay whole")
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestOutputFails(t *testing.T) {
	t.Parallel()
	url := simulated(t)
	file := configFile(t, config(url, "wrapper", ""))
	full := &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
	for _, c := range []struct {
		args   string
		err    error
		status int
		want   string
	}{
		{"version", full, exitFailed, "telegraf-dlms version: cannot write to standard output: no space left on device\n"},
		{"check -config " + file, full, exitFailed, "telegraf-dlms check: cannot write to standard output: no space left on device\n"},
		{"get " + url + " 1.0.1.8.0.255 -framing wrapper", full, exitFailed, "telegraf-dlms get: cannot write to standard output: no space left on device\n"},
		{"dump -once -config " + file, full, exitFailed, "E! cannot write to standard output: no space left on device\n"},
		{"dump -config " + file, full, exitFailed, "E! cannot write to standard output: no space left on device\n"},
		{"dump -once -config " + file, io.ErrClosedPipe, exitOK, ""},
		{"dump -config " + file, &os.PathError{Op: "write", Err: syscall.EPIPE}, exitOK, ""},
	} {
		var errs bytes.Buffer
		status := run(t.Context(), strings.Fields(c.args), panicReader{}, brokenWriter{c.err}, &errs)
		require.Equal(t, c.status, status, "%s: %s", c.args, errs.String())
		require.Equal(t, c.want, errs.String(), c.args)
	}
}

// A reader that goes away, as head does, ends the program in good order: no
// meter is left with an association.
func TestOutputClosedReleases(t *testing.T) {
	t.Parallel()
	for _, mode := range [][]string{{"-once"}, {"-poll_interval", "1ms"}} {
		meter := dlmstest.NewMeter(dlmstest.Config{}, simmeter.New(simmeter.Config{}))
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- meter.Serve(ctx, l) }()
		text := config("tcp://"+l.Addr().String(), "wrapper", "")
		for i := range 20 {
			text += fmt.Sprintf("[[inputs.dlms_cosem.request]]\nname = \"more %d\"\n[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.1.7.0.255\"\n", i)
		}
		var errs bytes.Buffer
		r, w := io.Pipe()
		go func() {
			_, _ = bufio.NewReader(r).ReadString('\n')
			_ = r.Close()
		}()
		status := run(t.Context(), append([]string{"dump", "-config", configFile(t, text)}, mode...), panicReader{}, w, &errs)
		require.Equal(t, exitOK, status, errs.String())
		require.Empty(t, errs.String())
		cancel()
		require.NotEqual(t, io.EOF, <-served)
		c := meter.Counters()
		require.Positive(t, c.Associations)
		require.Less(t, c.Associations, 20, "what comes has nowhere to go")
		require.GreaterOrEqual(t, c.Releases, c.Associations-1, "one may have been on its way")
		require.Positive(t, c.Releases)
	}
}

func TestEndSignals(t *testing.T) {
	t.Parallel()
	require.NotContains(t, endSignals([]string{"-config", "x"}), os.Signal(syscall.SIGHUP), "a tick under inputs.execd")
	require.Contains(t, endSignals([]string{"dump"}), os.Signal(syscall.SIGTERM))
}
