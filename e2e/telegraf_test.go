//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// suite is what the tests share.
type suite struct {
	ctx      context.Context //nolint:containedctx // ends every process some time before the test binary would be killed
	root     string
	telegraf string // program
	plugin   string // program
	db       influx
}

// startSuite starts an InfluxDB for the tests within t.
func startSuite(t *testing.T) *suite {
	t.Helper()
	deadline, ok := t.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Minute)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline.Add(-time.Minute))
	t.Cleanup(cancel)
	root, err := peer.Root()
	require.NoError(t, err)
	return &suite{
		ctx:      ctx,
		root:     root,
		telegraf: filepath.Join(root, ".tools", "telegraf"),
		plugin:   filepath.Join(root, "bin", "telegraf-dlms"),
		db:       startInflux(ctx, t),
	}
}

// telegraf is a running Telegraf with our plugin under inputs.execd.
type telegraf struct {
	command *exec.Cmd
	ended   chan struct{}
	plugin  string // program
	conf    string // file of the plugin
}

// setup says how Telegraf runs the plugin.
type setup struct {
	database  string
	signal    string   // of execd
	arguments []string // of the plugin, besides -config
	plugin    string   // the plugin's own file
	processor []string // command of a processors.execd, to which the plugin's file is passed; nil: none
	file      string   // that gets all metrics besides InfluxDB; empty: none
	usual     bool     // Telegraf's own defaults: a flush each 10 s, a buffer of 10,000 metrics
}

// startTelegraf writes the files and starts it; the test's end stops it, if nothing has before.
func (s *suite) startTelegraf(t *testing.T, c setup) *telegraf {
	t.Helper()
	dir := t.TempDir()
	pluginConf := filepath.Join(dir, "dlms.conf")
	require.NoError(t, os.WriteFile(pluginConf, []byte(c.plugin), 0o600))
	command := []string{s.plugin, "-config", pluginConf}
	command = append(command, c.arguments...)
	for i := range command {
		command[i] = strconv.Quote(command[i])
	}
	quick := "  interval = \"1s\"\n  flush_interval = \"500ms\"\n"
	if c.usual {
		quick = ""
	}
	conf := "[agent]\n" + quick + fmt.Sprintf(`  omit_hostname = true
[[inputs.execd]]
  command = [%s]
  signal = %q
  restart_delay = "100ms"
  data_format = "influx"
[[outputs.influxdb]]
  urls = [%q]
  database = %q
`, strings.Join(command, ", "), c.signal, s.db.url, c.database)
	if c.processor != nil {
		words := append([]string{c.processor[0], pluginConf}, c.processor[1:]...)
		for i := range words {
			words[i] = strconv.Quote(words[i])
		}
		conf += fmt.Sprintf("[[processors.execd]]\n  command = [%s]\n", strings.Join(words, ", "))
	}
	if c.file != "" {
		conf += fmt.Sprintf("[[outputs.file]]\n  files = [%q]\n  data_format = \"influx\"\n", c.file)
	}
	name := filepath.Join(dir, "telegraf.conf")
	require.NoError(t, os.WriteFile(name, []byte(conf), 0o600))

	tg := &telegraf{
		command: exec.CommandContext(s.ctx, s.telegraf, "--config", name),
		ended:   make(chan struct{}),
		plugin:  s.plugin,
		conf:    pluginConf,
	}
	tg.command.Env = append(os.Environ(), "PATH="+filepath.Dir(s.plugin)+":"+os.Getenv("PATH"), "STATE_DIRECTORY="+dir)
	// A file of its own: with pipes Wait would also wait for an orphan.
	out, err := os.Create(filepath.Join(dir, "telegraf.log"))
	require.NoError(t, err)
	tg.command.Stdout, tg.command.Stderr = out, out
	require.NoError(t, tg.command.Start())
	go func() {
		defer close(tg.ended)
		_ = tg.command.Wait()
	}()
	t.Cleanup(func() {
		_ = tg.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-tg.ended:
		case <-time.After(30 * time.Second):
			_ = tg.command.Process.Kill()
		}
		_ = out.Close()
		if t.Failed() {
			text, _ := os.ReadFile(out.Name())
			t.Logf("telegraf's log:\n%s", tail(text))
		}
	})
	return tg
}

func tail(b []byte) []byte {
	const enough = 6000
	return b[max(0, len(b)-enough):]
}

// child returns the process id of the plugin, 0 if there is none now.
func (tg *telegraf) child() int {
	parent := strconv.Itoa(tg.command.Process.Pid)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// pid (name) state ppid
		_, rest, _ := strings.Cut(string(b), ") ")
		if fields := strings.Fields(rest); len(fields) < 2 || fields[1] != parent || fields[0] == "Z" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == tg.plugin {
			return pid
		}
	}
	return 0
}

// waitChild waits for a plugin process other than the one given.
func (tg *telegraf) waitChild(t *testing.T, other int) int {
	t.Helper()
	pid := 0
	require.Eventually(t, func() bool {
		pid = tg.child()
		return pid != 0 && pid != other
	}, 30*time.Second, 5*time.Millisecond, "telegraf has not started the plugin")
	return pid
}

// alive reports whether a process of this id is still the plugin, and not a zombie.
func (tg *telegraf) alive(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && exe == tg.plugin
}

// startMeter runs a meter until the end of the test.
func (s *suite) startMeter(t *testing.T, options ...string) *peer.Meter {
	t.Helper()
	meter, err := peer.Gurux.Start(s.ctx, s.root, append([]string{"--rows", "1"}, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		meter.Stop()
		if t.Failed() {
			t.Logf("the meter's log:\n%s", tail([]byte(strings.Join(meter.Log(), "\n"))))
		}
	})
	return meter
}
