package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/explain"
	"github.com/telegraf-dlms/telegraf-dlms/internal/record"
)

const captureFolder = "../../dlms/testdata/captures/"

func decodeText(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), append([]string{"decode"}, args...), strings.NewReader(stdin), &out, &errs)
	return result{status, out.String(), errs.String()}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const frame = "7EA02A410883130413E6E7000F40000000000101020309060100010700FF060000067D02020F00161B1C057E"
	octets, err := hex.DecodeString(frame)
	require.NoError(t, err)
	const want = "30        1.0.1.7.0.255  1661 W  active power import; double-long-unsigned\n"
	for _, text := range []string{frame, string(octets), "12:03:04 RX: " + frame + "\n"} {
		for _, args := range [][]string{nil, {"-"}} {
			r := decodeText(t, text, args...)
			require.Equal(t, exitOK, r.status, r.out)
			require.Empty(t, r.err)
			require.Contains(t, r.out, want)
		}
	}
	file := filepath.Join(t.TempDir(), "capture.txt")
	require.NoError(t, os.WriteFile(file, []byte(frame[:len(frame)-20]), 0o600))
	r := decodeText(t, "", file)
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.err)
	require.Contains(t, r.out, "octet 0 (line 1): the input ends within a frame: 34 of 44 octets are there\n")

	r = decodeText(t, frame, "-format", "json")
	require.Equal(t, exitOK, r.status)
	require.True(t, json.Valid([]byte(r.out)))
	require.Contains(t, r.out, `"complete": true`)

	r = decodeText(t, frame, "-raw")
	require.Contains(t, r.out, "double-long-unsigned  1661\n")
}

func TestDecodeKeys(t *testing.T) {
	file := captureFolder + "dp-hdlc-kamstrup-omnipower.json"
	r := decodeText(t, "", file)
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.err)
	require.Contains(t, r.out, "encryption key of system title KAM 20222083 (4B414D4501349083) is missing: -key HEX\n")
	require.Contains(t, r.out, "missing: encryption key of system title KAM 20222083 (4B414D4501349083): -key HEX\n")

	folder := t.TempDir()
	keyFile := filepath.Join(folder, "key")
	require.NoError(t, os.WriteFile(keyFile, []byte(explain.TestKey+"\n"), 0o600))
	t.Setenv("DECODE_AUTH_KEY", explain.TestAuthKey)
	for _, args := range [][]string{
		{"-key", explain.TestKey, "-auth_key", explain.TestAuthKey},
		{"-key", strings.ToLower(explain.TestKey), "-auth_key=" + explain.TestAuthKey},
		{"-key", "file:" + keyFile, "-auth_key", "env:DECODE_AUTH_KEY"},
	} {
		r = decodeText(t, "", append(args, file)...)
		require.Equal(t, exitOK, r.status, r.out)
		require.Empty(t, r.err)
		require.Contains(t, r.out, "opened, the tag is right")
		require.Contains(t, r.out, "active energy import, total; double-long-unsigned")
	}
	r = decodeText(t, "", "-key", explain.TestKey, file)
	require.Equal(t, exitOK, r.status, r.out)
	require.Contains(t, r.out, "opened; the tag is not verified without -auth_key")
	r = decodeText(t, "", "-key", explain.TestAuthKey, file)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "wrong encryption key: ")
	r = decodeText(t, "", "-key", explain.TestKey, "-auth_key", explain.TestKey, file)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "wrong authentication key: ")
}

func TestDecodeUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stdin, args string
		status      int
		err         string
	}{
		{"7EA0", "-format xml", exitUsage, "telegraf-dlms decode: -format \"xml\": allowed are tree, json and lp\n"},
		{"7EA0", "-redact -format json", exitUsage, "telegraf-dlms decode: -redact writes octets: -format and -raw do not go with it\n"},
		{"7EA0", "-redact -raw", exitUsage, "telegraf-dlms decode: -redact writes octets: -format and -raw do not go with it\n"},
		{"7EA0", "-key 5ECRE7", exitUsage, "telegraf-dlms decode: -key: 32 or 64 hexadecimal digits are expected, and something else found\n"},
		{"7EA0", "-key 5EC5E7", exitUsage, "telegraf-dlms decode: -key: 32 or 64 hexadecimal digits are expected, and 6 found\n"},
		{"7EA0", "-key env:NO_SUCH_KEY", exitUsage, "telegraf-dlms decode: -key: environment variable NO_SUCH_KEY is not set\n"},
		{"7EA0", "-auth_key " + explain.TestKey, exitUsage, "telegraf-dlms decode: -auth_key is of no use without -key\n"},
		{"7EA0", "-master_key 5EC5E7", exitUsage, "telegraf-dlms decode: -master_key: 32 or 64 hexadecimal digits are expected, and 6 found\n"},
		{"7EA0", "-master_key " + explain.TestKey + " -format lp", exitUsage, "telegraf-dlms decode: -master_key does not go with -format lp: "},
		{"7EA0", "-key " + explain.TestKey + " -auth_key " + explain.TestAuthKey2, exitUsage, "telegraf-dlms decode: "},
		{"", "no-such-file", exitUsage, "telegraf-dlms decode: no-such-file: "},
		{"hello", "", exitFailed, "telegraf-dlms decode: no octets found: binary, or text with hexadecimal digits is expected\n"},
		{"", "a b", exitUsage, "telegraf-dlms decode: stray argument \"b\"\nusage: telegraf-dlms decode [-key HEX -auth_key HEX -master_key HEX] [FILE | -]\n"},
	} {
		r := decodeText(t, c.stdin, strings.Fields(c.args)...)
		require.Equal(t, c.status, r.status, c.args)
		require.Empty(t, r.out, c.args)
		require.True(t, strings.HasPrefix(r.err, c.err), r.err)
	}
	r := decodeText(t, "0102030405060708")
	require.Equal(t, exitFailed, r.status, "octets of nothing known")
	require.Contains(t, r.out, "8 octets that begin no frame, telegram or APDU")
}

func TestDecodeRedact(t *testing.T) {
	t.Parallel()
	file := captureFolder + "dp-hdlc-kamstrup-omnipower.json"
	keys := []string{"-key", explain.TestKey, "-auth_key", explain.TestAuthKey}
	before := decodeText(t, "", append(keys, file)...)
	r := decodeText(t, "", append(keys, "-redact", file)...)
	require.Equal(t, exitOK, r.status)
	require.Empty(t, r.err)
	require.NotContains(t, r.out, "4B414D4501349083")
	after := decodeText(t, r.out, keys...)
	require.Equal(t, exitOK, after.status, after.out)
	require.Contains(t, after.out, "KAM 1 (4B414D0000000001)")
	was, is := strings.Split(before.out, "\n"), strings.Split(after.out, "\n")
	require.Len(t, is, len(was))
	differ := 0
	for i := range was {
		if was[i] != is[i] {
			differ++
		}
	}
	require.Equal(t, 4, differ, "FCS, system title, tag and meter number:\n%s", after.out)
}

// What dump -record writes is read.
func TestDecodeRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "record.txt")
	rec, err := record.Create(path)
	require.NoError(t, err)
	ours, meter := net.Pipe()
	link := rec.Wrap(ours, "tcp://10.0.0.5:4059")
	answered := make(chan error, 1)
	go func() {
		var b [64]byte
		_, err := meter.Read(b[:])
		if err == nil {
			_, err = meter.Write([]byte("\x00\x01\x00\x01\x00\x10\x00\x09\xC4\x01\xC1\x00\x06\x00\x01\xE2\x40"))
		}
		answered <- err
	}()
	_, err = link.Write([]byte("\x00\x01\x00\x10\x00\x01\x00\x0D\xC0\x01\xC1\x00\x03\x01\x00\x01\x08\x00\xFF\x02\x00"))
	require.NoError(t, err)
	var b [64]byte
	for n := 0; n < 17; {
		m, err := link.Read(b[:])
		require.NoError(t, err)
		n += m
	}
	require.NoError(t, <-answered)
	require.NoError(t, link.Close())
	require.NoError(t, meter.Close())
	require.NoError(t, rec.Close())

	r := decodeText(t, "", path)
	require.Equal(t, exitOK, r.status, r.out)
	require.Regexp(t, `wrapper +version 1, 13 octets +sent, \S+ tcp://10.0.0.5:4059\n`, r.out)
	require.Regexp(t, `wrapper +version 1, 9 octets +received, \S+ tcp://10.0.0.5:4059\n`, r.out)
	require.Contains(t, r.out, "1.0.1.8.0.255  123456  active energy import, total; double-long-unsigned\n")
	require.Regexp(t, `note +closed +\S+ tcp://10.0.0.5:4059\n`, r.out)

	r = decodeText(t, "", "-redact", path)
	require.Equal(t, exitOK, r.status)
	require.True(t, strings.HasPrefix(r.out, "# telegraf-dlms record 1\n# redacted: "), r.out)
	require.Equal(t, exitOK, decodeText(t, r.out).status)
}

func TestDecodeLines(t *testing.T) {
	list := captureFolder + "amshan-kaifa-no-list-1.json"
	r := decodeText(t, "", "-format", "lp", "-preset", "kaifa-no", list)
	require.Equal(t, exitOK, r.status, r.err)
	require.Contains(t, r.out, "dlms_cosem,device=amshan-kaifa-no-list-1.json,meter=decode,name=active_power_import,obis=1.0.1.7.0.255,source=amshan-kaifa-no-list-1.json,unit=W value=5852 ")
	r = decodeText(t, "", "-format", "lp", list)
	require.Contains(t, r.out, "name=index_1")
	r = decodeText(t, "", "-preset", "kaifa-no", list)
	require.Contains(t, r.out, "1.0.1.7.0.255  5852 W  active power import")
	r = decodeText(t, "", "-format", "lp", captureFolder+"dp-mbus-kmswest.json")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.err, "an encrypted telegram came from system title 454C536570000001, and there is no key for it")
	r = decodeText(t, "", "-format", "lp", "-key", "36C66639E48A8CA4D6BC8B282A793BBB", captureFolder+"dp-mbus-netz-noe-p1.json")
	require.Equal(t, exitOK, r.status, r.err)
	require.Contains(t, r.out, "obis=1.0.1.8.0.255")
	r = decodeText(t, "FFFF", "-format", "lp")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.err, "no telegram was found")
	r = decodeText(t, "", "-preset", "nobody", list)
	require.Equal(t, exitUsage, r.status)
}
