//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// influx is an InfluxDB of our own on a free port, with its data in a temporary directory.
type influx struct{ url string }

const influxConf = `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "DIR/meta"
[data]
  dir = "DIR/data"
  wal-dir = "DIR/wal"
[http]
  bind-address = "127.0.0.1:0"
  log-enabled = false
[monitor]
  store-enabled = false
`

var listening = regexp.MustCompile(`msg="Listening on HTTP".* addr=(\S+)`)

func startInflux(ctx context.Context, t *testing.T) influx {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "influxdb.conf")
	require.NoError(t, os.WriteFile(conf, []byte(strings.ReplaceAll(influxConf, "DIR", dir)), 0o600))
	influxd, err := exec.LookPath("influxd")
	require.NoError(t, err, "InfluxDB is missing; on Debian: apt-get install --no-install-recommends influxdb")
	command := exec.CommandContext(ctx, influxd, "-config", conf)
	log, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	address := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-drained
		_ = command.Wait()
	})
	select {
	case a := <-address:
		return influx{url: "http://" + a}
	case <-time.After(time.Minute):
		require.Fail(t, "InfluxDB did not start within a minute")
		return influx{}
	}
}

// point is a row of an answer by column, tags included.
type point map[string]any

// query returns the rows of all series; numbers are float64, times nanoseconds.
func (db influx) query(database, q string) ([]point, error) {
	values := url.Values{"db": {database}, "q": {q}, "epoch": {"ns"}}
	client := http.Client{Timeout: 20 * time.Second}
	response, err := client.Get(db.url + "/query?" + values.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct {
				Name    string
				Tags    map[string]string
				Columns []string
				Values  [][]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	var rows []point
	for _, r := range answer.Results {
		answer.Error += r.Error
		for _, s := range r.Series {
			for _, v := range s.Values {
				p := point{"measurement": s.Name}
				for k, tag := range s.Tags {
					p[k] = tag
				}
				for i, c := range s.Columns {
					p[c] = v[i]
				}
				rows = append(rows, p)
			}
		}
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", q, answer.Error)
	}
	return rows, nil
}

// mustQuery is query for what has to work.
func (db influx) mustQuery(t *testing.T, database, q string) []point {
	t.Helper()
	rows, err := db.query(database, q)
	require.NoError(t, err)
	return rows
}

// wait asks until there is a row, and returns the rows.
func (db influx) wait(t *testing.T, within time.Duration, database, q string) []point {
	t.Helper()
	var rows []point
	var err error
	require.Eventually(t, func() bool {
		rows, err = db.query(database, q)
		return err == nil && len(rows) > 0
	}, within, 200*time.Millisecond, "no answer to %s (%v)", q, err)
	return rows
}
