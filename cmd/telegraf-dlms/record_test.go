package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// values are the points that were read from a meter, without what differs from
// run to run.
func values(t *testing.T, text string) []point {
	t.Helper()
	var out []point
	for _, p := range points(t, text) {
		if p.name == "dlms_cosem" {
			delete(p.tags, "source")
			out = append(out, point{name: p.name, tags: p.tags, fields: p.fields})
		}
	}
	require.NotEmpty(t, out)
	return out
}

// TestRecordAndReplay: what was recorded gives the same values again, on the
// first connection and on the next ones.
func TestRecordAndReplay(t *testing.T) {
	t.Setenv("DLMS_TEST_PW", "12345678")
	const low = "authentication = \"low\"\n  password = \"${DLMS_TEST_PW}\"\n"
	for _, c := range []struct {
		name, framing, more string
		second              string // more of the second request
		simulate            []string
		connections         int
	}{
		{"wrapper", "wrapper", "", "", nil, 1},
		{"udp", "wrapper", "", "", []string{"-listen", "udp://127.0.0.1:0"}, 1},
		{"hdlc, small frames, a password", "hdlc", low + "window = 3\n", "", []string{"-framing", "hdlc", "-max_info", "62", "-authentication", "low", "-password", "env:DLMS_TEST_PW"}, 1},
		{"several connections", "wrapper", "", "logical_address = 20\n", []string{"-logical_address", "1,20"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := func(url string) string {
				s := config(url, c.framing, c.more)
				return configFile(t, strings.Replace(s, `method = "once"`, c.second+`method = "once"`, 1))
			}
			file := filepath.Join(t.TempDir(), "traffic")
			r := execute(t, "dump", "-once", "-config", text(simulated(t, c.simulate...)), "-record", file)
			require.Equal(t, exitOK, r.status, r.err)
			require.Empty(t, r.err)
			want := values(t, r.out)
			recorded, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, c.connections, strings.Count(string(recorded), " = opened\n"))
			if info, err := os.Stat(file); runtime.GOOS != "windows" {
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			}

			url := simulated(t, "-replay", file, "-speed", "full")
			for range 3 {
				r = execute(t, "dump", "-once", "-config", text(url)) // without what is learned before
				require.Equal(t, exitOK, r.status, r.err)
				require.Empty(t, r.err)
				require.Equal(t, want, values(t, r.out))
			}
		})
	}
}

// TestRecordCount records without -once.
func TestRecordCount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "traffic")
	r := execute(t, "dump", "-count", "2", "-poll_interval", "50ms", "-config", configFile(t, config(simulated(t), "wrapper", "")), "-record", file)
	require.Equal(t, exitOK, r.status, r.err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), " > 0001")
	require.Contains(t, string(text), " < 0001")
	require.True(t, strings.HasSuffix(string(text), " = closed\n"), "%s", text)

	r = execute(t, "dump", "-once", "-config", configFile(t, config("tcp://127.0.0.1:4059", "wrapper", "")), "-record", file)
	require.Equal(t, exitUsage, r.status)
	require.Equal(t, "E! -record: "+file+" is there already, and a record needs a new file: choose another name, or remove it\n", r.err)
}

// TestRecordDial: a Dial that is there is kept, and what it says is noted.
func TestRecordDial(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "traffic")
	d := &dlms_cosem.DLMS{Dial: func(context.Context, string) (dlms.Transport, error) { return nil, io.ErrNoProgress }}
	end, err := recordLinks(d, file, execd.NewLogger(io.Discard, false))
	require.NoError(t, err)
	conn, err := d.Dial(t.Context(), "tcp://a:1")
	require.ErrorIs(t, err, io.ErrNoProgress)
	require.Nil(t, conn)
	require.Equal(t, exitFailed, end(exitFailed))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "Z tcp://a:1 = cannot be opened: multiple Read calls return no data or error\n")

	d = &dlms_cosem.DLMS{}
	end, err = recordLinks(d, file+"2", execd.NewLogger(io.Discard, false))
	require.NoError(t, err)
	_, err = d.Dial(t.Context(), "tcp://nonsense")
	require.ErrorContains(t, err, "the port is missing")
	require.Equal(t, exitOK, end(exitOK))
}

// TestRecordListeners records what meters send to us.
func TestRecordListeners(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "traffic")
	d := &dlms_cosem.DLMS{
		Listen:       func(context.Context, string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		ListenPacket: func(context.Context, string) (net.PacketConn, error) { return net.ListenPacket("udp", "127.0.0.1:0") },
	}
	end, err := recordLinks(d, file, execd.NewLogger(io.Discard, false))
	require.NoError(t, err)
	exchange := func(ours, meter net.Conn) {
		_, err := meter.Write([]byte("push"))
		require.NoError(t, err)
		_, err = io.ReadFull(ours, make([]byte, 4))
		require.NoError(t, err)
		_, err = ours.Write([]byte("ok"))
		require.NoError(t, err)
		require.NoError(t, ours.Close())
		require.NoError(t, meter.Close())
	}
	l, err := d.Listen(t.Context(), ":4059")
	require.NoError(t, err)
	meter, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	ours, err := l.Accept()
	require.NoError(t, err)
	exchange(ours, meter)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)

	pc, err := d.ListenPacket(t.Context(), ":4060")
	require.NoError(t, err)
	sender, err := net.Dial("udp", pc.LocalAddr().String())
	require.NoError(t, err)
	_, err = sender.Write([]byte("push"))
	require.NoError(t, err)
	_, from, err := pc.ReadFrom(make([]byte, 100))
	require.NoError(t, err)
	_, err = pc.WriteTo([]byte("ok"), from)
	require.NoError(t, err)
	require.NoError(t, sender.Close())
	require.NoError(t, pc.Close())

	require.Equal(t, exitOK, end(exitOK))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var want strings.Builder
	for _, s := range []string{"= opened", "< 70757368", "> 6F6B", "= closed"} {
		want.WriteString("tcp-listen://:4059/" + meter.LocalAddr().String() + " " + s + "\n")
	}
	for _, s := range []string{"< 70757368", "> 6F6B"} {
		want.WriteString("udp-listen://:4060/" + from.String() + " " + s + "\n")
	}
	require.Equal(t, want.String(), regexp.MustCompile(`(?m)^(#.*\n|\S+ )`).ReplaceAllString(string(text), ""))
}

const twoEndpoints = `# telegraf-dlms record 1
2026-11-27T23:04:05.000000Z tcp://a:1 = opened
2026-11-27T23:04:05.000000Z tcp://a:1 > 61
2026-11-27T23:04:05.000000Z tcp://b:1 = opened
2026-11-27T23:04:05.000000Z tcp://b:1 < 62
2026-11-27T23:04:05.000000Z tcp://a:1 < 63
2026-11-27T23:04:05.000000Z tcp://b:1 = closed by the other side
2026-11-27T23:04:05.000000Z tcp://c:1 = cannot be opened: no route to host
`

func TestReplayUsage(t *testing.T) {
	t.Parallel()
	file := configFile(t, twoEndpoints)
	for args, want := range map[string]string{
		"-replay FILE": "-replay FILE: it has 2 endpoints, choose one with -replay_endpoint: tcp://a:1, tcp://b:1",
		"-replay FILE -replay_endpoint tcp://c:1":                    `-replay_endpoint "tcp://c:1": FILE has no traffic of it, but of: tcp://a:1, tcp://b:1`,
		"-replay FILE -speed slow":                                   `-speed "slow": allowed are original and full`,
		"-speed full":                                                "-replay FILE is missing: -replay_endpoint and -speed say how it is played",
		"-replay_endpoint tcp://a:1":                                 "-replay FILE is missing: -replay_endpoint and -speed say how it is played",
		"-replay FILE -framing hdlc":                                 "-framing is of no use with -replay: the record says what the meter answers",
		"-replay FILE -listen udp://127.0.0.1:0":                     "-listen udp://127.0.0.1:0: a replay goes over TCP or a serial port; one of UDP can be read with tcp:// and the same framing",
		"-replay FILE -listen x":                                     `-listen "x": HOST:PORT is expected, as in 127.0.0.1:4059`,
		"-replay FILE -listen file://":                               `-listen "file://": the name of a port is missing`,
		"-replay FILE -baud_rate 300":                                "-baud_rate is of no use without a serial port: -listen file:///dev/ttyUSB0",
		"-replay " + configFile(t, good):                             "line 1: ",
		"-replay " + configFile(t, twoEndpoints[:24]+"\n"):           "there is no traffic in it",
		"-replay " + configFile(t, twoEndpoints) + ".nothing":        "-replay: open ",
		"-replay " + configFile(t, twoEndpoints[:24]+"\nnonsense\n"): "line 2: a time like ",
	} {
		r := execute(t, append([]string{"simulate"}, strings.Fields(strings.ReplaceAll(args, "FILE", file))...)...)
		require.Equal(t, exitUsage, r.status, args)
		require.Empty(t, r.out)
		require.Contains(t, strings.ReplaceAll(r.err, file, "FILE"), want, args)
	}
	r := execute(t, "simulate", "-replay", file, "-replay_endpoint", "tcp://a:1", "-listen", "file:///nonexistent")
	require.Equal(t, exitFailed, r.status)
}

// TestReplayConnections: one after the other, from the begin after one that was
// left early.
func TestReplayConnections(t *testing.T) {
	t.Parallel()
	more := strings.ReplaceAll(strings.ReplaceAll(twoEndpoints[25:], "> 61", "> 64"), "< 63", "< 65")
	file := configFile(t, twoEndpoints+more)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"simulate", "-listen", "127.0.0.1:0", "-replay", file, "-replay_endpoint", "tcp://a:1", "-speed", "full"}, nil, w, &errs)
	}()
	b := make([]byte, 100)
	n, err := r.Read(b)
	require.NoError(t, err)
	address := strings.TrimSpace(strings.TrimPrefix(string(b[:n]), "tcp://"))
	ask := func(octets string) string {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, octets)
		require.NoError(t, err)
		if octets == "" {
			return ""
		}
		n, err := conn.Read(b)
		require.NoError(t, err)
		if octets == "d" { // and more than is recorded
			_, err = io.WriteString(conn, "more")
			require.NoError(t, err)
			rest, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Empty(t, rest)
		}
		return string(b[:n])
	}
	require.Equal(t, "c", ask("a"))
	require.Empty(t, ask(""))
	require.Equal(t, "c", ask("x"))
	require.Equal(t, "e", ask("d"))
	require.Equal(t, "c", ask("a"))
	cancel()
	require.Equal(t, exitOK, <-done)
	told := strings.Split(errs.String(), "\n")
	require.Len(t, told, 4, errs.String())
	require.Contains(t, told[0], "the replay ended after 0 of 1 requests: the client closed the connection")
	require.Contains(t, told[1], "1 of 1 requests differ from the record; in number 1, recorded at 2026-11-27T23:04:05.000000Z, its octet 1 differs; the same are sent with the same configuration")
	require.Contains(t, told[2], "the client has sent more than is recorded of this connection")

	url := simulated(t, "-replay", file, "-replay_endpoint", "tcp://b:1") // it listens, and is hung up
	for range 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "tcp://"))
		require.NoError(t, err)
		all, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "b", string(all))
		require.NoError(t, conn.Close())
	}
}
