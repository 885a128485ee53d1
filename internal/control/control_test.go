package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const role = "CONTROL_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "call":
		text, err := Call(context.Background(), os.Args[1], "x", "trigger", "a")
		fmt.Printf("%q %v\n", text, err)
	case "listen":
		_, err := Listen(os.Args[1], "x", echo)
		fmt.Println(err)
		select {}
	default:
		goleak.VerifyTestMain(m)
	}
}

func echo(_ context.Context, command string, args []string) (string, error) {
	if command != "trigger" {
		return "", fmt.Errorf("unknown command %q", command)
	}
	return strings.Join(args, "|"), nil
}

func child(t *testing.T, as, dir string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], dir)
	c.Env = append(os.Environ(), role+"="+as)
	return c
}

// shortDir is a directory whose name fits a socket's address.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "c")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestCall(t *testing.T) {
	dir := shortDir(t)
	_, err := Call(t.Context(), dir, "x", "trigger", "a")
	var not *NotRunningError
	require.ErrorAs(t, err, &not)
	s, err := Listen(dir, "x", echo)
	require.NoError(t, err)
	require.Equal(t, []string{"x"}, Running(dir))
	text, err := Call(t.Context(), dir, "x", "trigger", "my meter", "b\nc")
	require.NoError(t, err)
	require.Equal(t, "my meter|b\nc", text)
	_, err = Call(t.Context(), dir, "x", "explode")
	var said *AnsweredError
	require.ErrorAs(t, err, &said)
	require.EqualError(t, err, `unknown command "explode"`)
	_, err = Call(t.Context(), dir, "x", "trigger", strings.Repeat("x", lineLimit))
	require.ErrorContains(t, err, "more than 65536 octets")
	_, err = Listen(dir, "x", echo)
	require.ErrorContains(t, err, "another instance listens at")
	info, err := os.Stat(filepath.Join(dir, "x.sock"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	out, err := child(t, "call", dir).Output()
	require.NoError(t, err)
	require.Equal(t, "\"a\" <nil>\n", string(out))
	s.Close()
	require.Empty(t, Running(dir))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list, "nothing is left behind")
}

// TestStale: the socket of an instance that was killed is no obstacle.
func TestStale(t *testing.T) {
	dir := shortDir(t)
	c := child(t, "listen", dir)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	b := make([]byte, 16)
	n, err := out.Read(b)
	require.NoError(t, err)
	require.Equal(t, "<nil>\n", string(b[:n]))
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
	require.Equal(t, []string{"x"}, Running(dir))
	_, err = Call(t.Context(), dir, "x", "trigger", "a")
	var not *NotRunningError
	require.ErrorAs(t, err, &not)
	s, err := Listen(dir, "x", echo)
	require.NoError(t, err)
	defer s.Close()
	text, err := Call(t.Context(), dir, "x", "trigger", "a")
	require.NoError(t, err)
	require.Equal(t, "a", text)
}

// TestAnotherUser: only the user of the instance is let in, and told so. It
// takes root to play two users; others are kept out by the mode, which TestCall
// looks at.
func TestAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can play two users; TestCall requires the mode")
	}
	dir := shortDir(t)
	program := filepath.Join(shortDir(t), "test")
	b, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, b, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(program), 0o755))
	s, err := Listen(dir, "x", echo)
	require.NoError(t, err)
	defer s.Close()
	for _, mode := range []os.FileMode{0o755, 0o700} {
		require.NoError(t, os.Chmod(dir, mode))
		c := child(t, "call", dir)
		c.Path, c.Dir = program, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.Output()
		require.NoError(t, err)
		require.Equal(t, "\"\" the running instance belongs to user root: run this command as that user (sudo -u root ...)\n", string(out))
	}
}

// TestHostileCallers: what they send, or do not, does not keep others out.
func TestHostileCallers(t *testing.T) {
	dir := shortDir(t)
	s, err := Listen(dir, "x", echo)
	require.NoError(t, err)
	for _, text := range []string{"\n", "{}\n", "[1]\n", "no json\n", "\x00\xFF\n", "", strings.Repeat("x", lineLimit+1)} {
		c, err := net.Dial("unix", filepath.Join(dir, "x.sock"))
		require.NoError(t, err)
		_, _ = c.Write([]byte(text))
		_ = c.Close()
	}
	var silent []net.Conn
	for range 3 * callsAtOnce {
		c, err := net.Dial("unix", filepath.Join(dir, "x.sock"))
		require.NoError(t, err)
		silent = append(silent, c)
	}
	for _, c := range silent {
		_ = c.Close()
	}
	require.Eventually(t, func() bool {
		text, err := Call(t.Context(), dir, "x", "trigger", "a")
		return err == nil && text == "a"
	}, time.Minute, 10*time.Millisecond)
	held, err := net.Dial("unix", filepath.Join(dir, "x.sock"))
	require.NoError(t, err)
	defer held.Close()
	s.Close() // does not wait for a caller that says nothing
}

func TestListenErrors(t *testing.T) {
	long := filepath.Join(shortDir(t), strings.Repeat("x", 120))
	_, err := Listen(long, "x", echo)
	require.ErrorContains(t, err, "is too long for a socket")
	file := filepath.Join(shortDir(t), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Listen(file, "x", echo)
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Call(ctx, shortDir(t), "x", "trigger")
	require.Error(t, err)
	require.False(t, errors.Is(err, context.DeadlineExceeded))
}
