package dlms_cosem

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what comes out into the folders of testcases")

// TestCases runs each folder of testcases one time: dlms.conf on the meter of
// meter.toml. What comes out is expected.out, the errors are expected.err. With
// init.err the configuration is refused. Time stands still at the beginning of
// the year 2000, and counts of octets are left out.
func TestCases(t *testing.T) {
	folders, err := os.ReadDir("testcases")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(folders), 20)
	for _, f := range folders {
		t.Run(f.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runFolder(t, filepath.Join("testcases", f.Name())) })
		})
	}
}

func runFolder(t *testing.T, dir string) {
	conf, err := os.ReadFile(filepath.Join(dir, "dlms.conf"))
	require.NoError(t, err)
	n := newNetwork(t)
	d, j := plugin(t, n, string(conf))
	if err := d.Init(); err != nil {
		compare(t, filepath.Join(dir, "init.err"), err.Error()+"\n")
		return
	}
	require.NoFileExists(t, filepath.Join(dir, "init.err"))
	text, err := os.ReadFile(filepath.Join(dir, "meter.toml"))
	require.NoError(t, err)
	m := meter(t, string(text))
	n.set("", &host{meter: m})
	acc := &sink{}
	_, err = d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)

	var out strings.Builder
	for _, p := range acc.all() {
		out.WriteString(p.String() + "\n")
	}
	compare(t, filepath.Join(dir, "expected.out"), out.String())
	errs := acc.errors()
	errs = append(errs, j.at("W! ")...)
	errs = append(errs, j.at("I! ")...)
	if len(errs) > 0 {
		compare(t, filepath.Join(dir, "expected.err"), strings.Join(errs, "\n")+"\n")
	} else {
		require.NoFileExists(t, filepath.Join(dir, "expected.err"))
	}
}

func compare(t *testing.T, file, got string) {
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "got:\n%s", got)
	require.Equal(t, string(want), got)
}
