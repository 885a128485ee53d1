package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/state"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// configFile writes a configuration and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dlms.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

const good = `[[inputs.dlms_cosem]]
  endpoint = "tcp://127.0.0.1:4059"
  [[inputs.dlms_cosem.request]]
    name = "main meter"
    [[inputs.dlms_cosem.request.item]]
      name = "energy"
      obis = "1.0.1.8.0.255"
`

// edit makes a mistake in the good configuration: it replaces a line, or adds
// one behind it if the new one starts with a +.
func edit(lines ...string) string {
	text := strings.Split(good, "\n")
	for ; len(lines) >= 2; lines = lines[2:] {
		was, is := lines[0], lines[1]
		for n, line := range text {
			if strings.TrimSpace(line) != was {
				continue
			}
			text[n] = is
			if add, ok := strings.CutPrefix(is, "+"); ok {
				text[n] = line + "\n" + add
			}
			break
		}
	}
	return strings.Join(text, "\n")
}

// Every mistake is refused with its line and with words that help.
func TestConfigMistakes(t *testing.T) {
	t.Setenv("DLMS_TEST_SECRET", "hunter22")
	const (
		table    = "[[inputs.dlms_cosem]]"
		endpoint = `endpoint = "tcp://127.0.0.1:4059"`
		name     = `name = "main meter"`
		item     = `[[inputs.dlms_cosem.request.item]]`
		code     = `obis = "1.0.1.8.0.255"`
	)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", edit(endpoint, `+tiemout = "1s"`), []string{`3: unknown key "tiemout"; did you mean "timeout"?`}},
		{"unknown key in a request", edit(name, `+obis = "1.0.1.8.0.255"`), []string{`5: request "main meter": unknown key "obis"; it belongs in a [[inputs.dlms_cosem.request.item]] table`}},
		{"unknown key in an item", edit(code, `+skale = 2`), []string{`8: request "main meter", item "energy": unknown key "skale"; did you mean "scale"?`}},
		{"key of the request behind its items", edit(code, `+timeout = "1s"`), []string{`8: request "main meter", item "energy": unknown key "timeout"; it belongs in [[inputs.dlms_cosem.request]], above its first [[inputs.dlms_cosem.request.item]]`}},
		{"wrong case", edit(endpoint, `Endpoint = "tcp://127.0.0.1:4059"`), []string{`2: unknown key "Endpoint"; did you mean "endpoint"?`}},
		{"wrong type", edit(endpoint, `+retries = "two"`), []string{`3: retries = "two": must be a whole number, not a string`}},
		{"wrong type in an item", edit(code, `obis = 10180`), []string{`7: request "main meter", item "energy": obis = 10180: must be a string in quotes, not a whole number`}},
		{"bad OBIS", edit(code, `obis = "1.0.x"`), []string{`7: request "main meter", item "energy": obis = "1.0.x": not an OBIS code: value group E is "x", not a number from 0 to 255; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`}},
		{"no OBIS", edit(code, ``), []string{`5: request "main meter", item "energy": obis: this key is required, e.g. "1.0.1.8.0.255"`}},
		{"endpoint without a port", edit(endpoint, `endpoint = "tcp://10.0.0.5"`), []string{`2: endpoint = "tcp://10.0.0.5": the port is missing: DLMS over TCP and UDP has port 4059, e.g. tcp://10.0.0.5:4059`}},
		{"no framing", edit(endpoint, `endpoint = "tcp://10.0.0.5:4001"`), []string{`3: request "main meter": framing: this key is required on TCP port 4001: "hdlc" for serial servers and modems, "wrapper" for meters with DLMS over TCP (only port 4059 is known to be "wrapper")`}},
		{"address out of range for its size", edit(endpoint, `+framing = "hdlc"`, name, "+physical_address = 200\naddress_size = 2"), []string{`6: request "main meter": physical_address = 200: address 200 is out of range: with address_size = 2, 1 to 127 is allowed`}},
		{"low authentication without password", edit(name, `+authentication = "low"`), []string{`3: request "main meter": password: authentication = "low" needs it`}},
		{"scale without unit", edit(code, `+scale = 0.001`), []string{`8: request "main meter", item "energy": scale = 0.001: it changes the unit, so "unit" has to be given too: kWh must not be called Wh`}},
		{"duplicate names", good + good[strings.Index(good, "  [[inputs.dlms_cosem.request]]"):], []string{`9: request "main meter": name = "main meter": another request has this name`}},
		{"no items", edit(item, "", `name = "energy"`, "", code, ""), []string{`3: request "main meter": item: no items: a request needs at least one [[inputs.dlms_cosem.request.item]]`}},
		{"no requests", table, []string{`1: request: no requests: at least one [[inputs.dlms_cosem.request]] is needed`}},
		{"a second plugin table", good + good, []string{"8: a second plugin table [[inputs.dlms_cosem]]: put its [[inputs.dlms_cosem.request]] tables into the first, line 1"}},
		{"another table", good + "[agent]\n", []string{"8: [agent] does not belong here: this file holds only the table [[inputs.dlms_cosem]] and what is below it; the rest belongs in Telegraf's own configuration"}},
		{"unset variable", edit(name, `name = "${DLMS_TEST_NOT_SET}"`), []string{"4: name: the environment variable DLMS_TEST_NOT_SET is not set"}},
		{"syntax error", edit(name, `name = main meter`), []string{"4: not valid TOML: expected value but found something else (texts stand in double quotes)"}},
		{"interval at the top", edit(endpoint, `+interval = "10s"`), []string{"3: interval is not allowed here: set it in the request, or as interval of [[inputs.execd]] for requests with method gather"}},
		{"tags at the top", edit(table, `+tags = { a = "b" }`), []string{"2: tags is not allowed here: put them into the request as [inputs.dlms_cosem.request.tags], or into [inputs.execd.tags] of Telegraf's own configuration"}},
		{"name_override at the top", edit(table, `+name_override = "x"`), []string{"2: name_override is not allowed here: use measurement"}},
		{"unknown word", edit(name, `+method = "crontab"`), []string{`5: request "main meter": method = "crontab": allowed are "gather", "once", "polling", "times", "cron" and "event"`}},
		{"bad duration", edit(name, `+interval = "10"`), []string{`5: request "main meter": interval = "10": not a duration: a number with its unit is expected, e.g. "500ms", "10s" or "15m"`}},
		{"secret store", edit(name, "+authentication = \"low\"\npassword = \"@{store:key}\""), []string{`6: request "main meter": password: Telegraf's secret stores are not available here: use "file:/path", "env:NAME" or "credential:NAME"`}},
		{"values of variables are not shown", edit(name, "+framing = \"${DLMS_TEST_SECRET}\""), []string{`5: request "main meter": framing = "${DLMS_TEST_SECRET}": allowed are "auto", "hdlc", "wrapper" and "mbus"`}},
		{"all at once", edit(endpoint, "+link = \"radio\"", name, "+deviation = \"x\"", code, "obis = \"?\""), []string{
			`3: link = "radio": allowed are "auto", "local", "gsm" and "nbiot"`,
			`6: request "main meter": deviation = "x": allowed are "auto", "standard", "inverted" and "ignore"`,
			`9: request "main meter", item "energy": obis = "?": not an OBIS code: "?" has no dots; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := configFile(t, c.text)
			input, err := execd.Load(file)
			if err == nil {
				err = execd.Init(input, file)
			}
			require.Error(t, err)
			got := strings.Split(err.Error(), "\n")
			require.Len(t, got, len(c.want), err)
			for i, want := range c.want {
				require.Equal(t, file+":"+want, got[i])
			}

			r := execute(t, "check", "-config", file)
			require.Equal(t, exitUsage, r.status)
			require.Empty(t, r.out)
			require.Equal(t, "E! "+strings.Join(got, "\nE! ")+"\n", r.err, "a line for each mistake")
			require.NotContains(t, r.err, "hunter22")
		})
	}
}

// TestOneRequestKeepsTheState: to run one request does not forget what is known
// about the meters of the others.
func TestOneRequestKeepsTheState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := fmt.Sprintf("[[inputs.dlms_cosem]]\nstate_dir = %q\nretries = 0\nreply_timeout = \"100ms\"\nconnect_timeout = \"1s\"\n", dir)
	for _, name := range []string{"a", "b"} {
		text += fmt.Sprintf("[[inputs.dlms_cosem.request]]\nname = %q\nendpoint = \"tcp://127.0.0.1:%s\"\nframing = \"wrapper\"\n[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.1.8.0.255\"\n",
			name, map[string]string{"a": "1", "b": "2"}[name])
	}
	file := configFile(t, text)
	s, err := state.Open(dir, file)
	require.NoError(t, err)
	const other, gone = "tcp://127.0.0.1:2 wrapper 1/0 client 16", "tcp://127.0.0.1:3 wrapper 1/0 client 16"
	require.NoError(t, s.Save("meters", other, map[string]string{"name": "4d31"}))
	require.NoError(t, s.Save("meters", gone, map[string]string{"name": "4d32"}))
	require.NoError(t, s.Close())
	kept := func(key string) bool {
		s, err := state.Open(dir, file)
		require.NoError(t, err)
		defer s.Close()
		found, err := s.Load("meters", key, &map[string]any{})
		require.NoError(t, err)
		return found
	}
	var out, errs bytes.Buffer
	run(t.Context(), []string{"dump", "-once", "-request", "a", "-config", file}, panicReader{}, &out, &errs)
	require.True(t, kept(other), "%s", errs.String())
	run(t.Context(), []string{"dump", "-once", "-config", file}, panicReader{}, &out, &errs)
	require.True(t, kept(other))
	require.False(t, kept(gone), "no request has it any more")
}
