package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestObjects lists a simulated meter in each form, with logical and short
// names, and uses the preset that comes of it.
func TestObjects(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	for _, names := range []string{"ln", "sn"} {
		t.Run(names, func(t *testing.T) {
			url := simulated(t, "-framing", "hdlc", "-referencing", names)
			file := filepath.Join(t.TempDir(), "mine.toml")
			r := execute(t, "objects", url, "-framing", "hdlc", "-referencing", names, "-o", file)
			require.Equal(t, exitOK, r.status, r.err)
			require.Equal(t, file+": use it in a request as preset = \""+file+"\"\n", r.err)
			lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
			require.Regexp(t, "^OBIS +NAME +CLASS +UNIT +TYPE +VALUE$", lines[0])
			require.Regexp(t, `(?m)^1\.0\.1\.8\.0\.255 +active energy import, total +3 Register +Wh +double-long-unsigned +[0-9]+$`, r.out)
			require.Regexp(t, `(?m)^1\.0\.99\.1\.0\.255 +load profile 1 +7 Profile generic +- +-$`, r.out)
			require.NotRegexp(t, `(?m) $`, r.out)

			r = execute(t, "objects", url, "-framing", "hdlc", "-referencing", names, "-format", "json")
			require.Equal(t, exitOK, r.status, r.err)
			var list []map[string]any
			require.NoError(t, json.Unmarshal([]byte(r.out), &list))
			require.Len(t, list, len(lines)-1)
			for _, o := range list {
				require.NotEmpty(t, o["obis"])
				_, short := o["base_name"]
				require.Equal(t, names == "sn", short)
			}

			r = execute(t, "objects", url, "-framing", "hdlc", "-referencing", names, "-format", "csv", "-no-values")
			require.Equal(t, exitOK, r.status, r.err)
			rows, err := csv.NewReader(strings.NewReader(r.out)).ReadAll()
			require.NoError(t, err)
			require.Len(t, rows, len(lines))
			for _, row := range rows[1:] {
				require.Empty(t, row[9], "no value was asked for")
			}

			config := configFile(t, fmt.Sprintf("[[inputs.dlms_cosem]]\nendpoint = %q\n[[inputs.dlms_cosem.request]]\nname = \"all\"\npreset = %q\n", url, file))
			r = execute(t, "dump", "-once", "-config", config)
			require.Equal(t, exitOK, r.status, r.err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Len(t, points(t, r.out), strings.Count(string(text), "[[item]]")+1)

			r = execute(t, "objects", "-config", config, "-request", "all", "-format", "json")
			require.Equal(t, exitOK, r.status, r.err)
			require.NoError(t, json.Unmarshal([]byte(r.out), &list))
			require.Len(t, list, len(lines)-1)
		})
	}
}

func TestObjectsFailures(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	url := simulated(t, "-framing", "hdlc")
	r := execute(t, "objects", url, "-framing", "hdlc", "-client_address", "99")
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.out)
	require.Contains(t, r.err, "telegraf-dlms objects: association refused")
	require.Contains(t, r.err, "hint: ")
	r = execute(t, "objects", url, "-framing", "hdlc", "-no-values", "-o", t.TempDir())
	require.Equal(t, exitFailed, r.status)
	require.NotEmpty(t, r.out, "the list is shown all the same")
	require.Contains(t, r.err, "is a directory")
	r = execute(t, "objects", "-config", configFile(t, config(url, "hdlc", "")), "-request", "nobody")
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.err, `no request is named "nobody"`)
}

func TestObjectsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "ENDPOINT or -config FILE is missing\n",
		"tcp://x:4059 -config y":        "ENDPOINT and -config do not go together\n",
		"tcp://x:4059 -request y":       "-request is of no use without -config\n",
		"tcp://x:4059 -format xml":      "-format \"xml\": allowed are table, json and csv\n",
		"tcp://x:7000":                  "-framing: this key is required on TCP port 7000",
		"tcp://x:4059 -password hunter": "-password takes file:PATH, env:NAME, credential:NAME or - ",
	} {
		r := execute(t, append([]string{"objects"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, r.status, args)
		require.Empty(t, r.out)
		require.Contains(t, r.err, "telegraf-dlms objects: "+want, args)
	}
}
