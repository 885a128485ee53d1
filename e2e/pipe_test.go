//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killBlocked runs the plugin into a pipe that nobody reads, kills it while it waits for room in it, and returns what the
// pipe holds then. (Telegraf itself often drops that when the process is gone, so it cannot be relied on to show it.)
func (s *suite) killBlocked(t *testing.T, conf string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dlms.conf")
	require.NoError(t, os.WriteFile(name, []byte(conf), 0o600))
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	command := exec.CommandContext(s.ctx, s.plugin, "-config", name, "-poll_interval", "10ms")
	command.Stdout = w
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	require.NoError(t, w.Close())
	s.pause(t, 1500*time.Millisecond)
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	_ = stdin.Close()
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Greater(t, len(out), 32<<10, "the pipe was not full")
	require.True(t, bytes.HasSuffix(out, []byte("\n")), "the last line is torn: ...%s", out[len(out)-60:])
	return out
}

// write posts line protocol as Telegraf would.
func (db influx) write(t *testing.T, database string, lines []byte) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	created, err := client.Post(db.url+"/query?"+url.Values{"q": {"CREATE DATABASE " + database}}.Encode(), "", nil)
	require.NoError(t, err)
	require.NoError(t, created.Body.Close())
	response, err := client.Post(db.url+"/write?"+url.Values{"db": {database}}.Encode(), "", bytes.NewReader(lines))
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode, "%s", answer)
}
