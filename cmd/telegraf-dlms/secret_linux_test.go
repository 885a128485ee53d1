package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
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

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// untold are secrets that may stand nowhere: each as it is, in hexadecimal
// digits, in those of Go's %v and %q, and in base64.
type untold map[string][]byte

func (u untold) require(t *testing.T, where, text string) {
	t.Helper()
	digits := strings.ToLower(strings.NewReplacer(" ", "", "\n", "", ":", "", "0x", "", ",", "").Replace(text))
	for name, secret := range u {
		for _, form := range []string{
			string(secret), fmt.Sprint(secret), strings.Trim(fmt.Sprintf("%q", secret), `"`),
			base64.StdEncoding.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
		} {
			require.False(t, strings.Contains(text, form), "%s: %s is there", where, name)
		}
		require.False(t, strings.Contains(digits, hex.EncodeToString(secret)), "%s: %s is there in digits", where, name)
	}
}

// secretMeters are two meters: "keys", which wants all keys there are, and "word",
// which wants a password in clear.
type secretMeters struct {
	t          *testing.T
	dir        string
	keys, word string // their endpoints
	hold       chan struct{}
	untold     untold
}

// stalled has a meter that does not answer any more once hold is closed: what
// asks it is in the middle of a poll then.
func (s *secretMeters) stalled(apdu []byte) ([]byte, bool) {
	select {
	case <-s.hold:
		return nil, true // nothing is answered
	default:
		return nil, false
	}
}

func newSecretMeters(t *testing.T) *secretMeters {
	t.Helper()
	s := &secretMeters{t: t, dir: t.TempDir(), hold: make(chan struct{}), untold: untold{}}
	for _, name := range []string{"password", "encryption_key", "authentication_key", "wrong_key"} {
		b := make([]byte, 16)
		_, _ = rand.Read(b)
		if name == "password" {
			b = []byte("Pw" + hex.EncodeToString(b)[:6])
		}
		s.untold[name] = b
		text := []byte(strings.ToUpper(hex.EncodeToString(b)))
		if name == "password" {
			text = b
		}
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "short_key"), []byte(strings.ToUpper(hex.EncodeToString(s.untold["encryption_key"]))+"0"), 0o600))
	keys := security.Keys{EncryptionKey: s.untold["encryption_key"], AuthenticationKey: s.untold["authentication_key"]}
	s.keys = s.serve(dlmstest.Client{Mechanism: acse.HLSGMAC, Keys: keys, Policy: security.Authenticated | security.Encrypted})
	s.word = s.serve(dlmstest.Client{Mechanism: acse.Low, Password: s.untold["password"]})
	return s
}

func (s *secretMeters) serve(client dlmstest.Client) string {
	m := dlmstest.NewMeter(dlmstest.Config{
		Framing: dlmstest.FramingWrapper, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, Faults: &dlmstest.Faults{Raw: s.stalled},
		Clients: map[uint16]dlmstest.Client{dlmstest.PublicClient: {}, 1: client},
	}, oneRegister{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Serve(ctx, l) }()
	s.t.Cleanup(func() { cancel(); require.NoError(s.t, <-done) })
	return "tcp://" + l.Addr().String()
}

// config writes a configuration with the secrets of these files, or as they are.
func (s *secretMeters) config(password, key, authKey string) string {
	file := filepath.Join(s.dir, "dlms.toml")
	text := fmt.Sprintf(`
[[inputs.dlms_cosem]]
  framing = "wrapper"
  client_address = 1
  state_dir = %q
  [[inputs.dlms_cosem.request]]
    name = "keys"
    endpoint = %q
    method = "polling"
    interval = "1ms"
    authentication = "high-gmac"
    encryption_key = %q
    authentication_key = %q
    [[inputs.dlms_cosem.request.item]]
      obis = "1.0.1.8.0.255"
  [[inputs.dlms_cosem.request]]
    name = "word"
    endpoint = %q
    method = "polling"
    interval = "1ms"
    authentication = "low"
    password = %q
    [[inputs.dlms_cosem.request.item]]
      obis = "1.0.1.8.0.255"
`, filepath.Join(s.dir, "state"), s.keys, key, authKey, s.word, password)
	require.NoError(s.t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// TestNoSecret: neither of what the program says, nor of what it keeps, nor of
// the dump of its memory's stacks when it crashes, has a secret in it.
func TestNoSecret(t *testing.T) {
	s := newSecretMeters(t)
	place := func(name string) string { return "file:" + filepath.Join(s.dir, name) }
	clear := func(name string) string { return strings.ToUpper(hex.EncodeToString(s.untold[name])) }
	for name, c := range map[string]struct {
		password, key, authKey string
		status                 int
		contains               string
	}{
		"right":               {place("password"), place("encryption_key"), place("authentication_key"), exitOK, "result=success"},
		"in the file":         {string(s.untold["password"]), clear("encryption_key"), strings.ToLower(clear("authentication_key")), exitOK, "result=success"},
		"in the file, as hex": {"hex:" + hex.EncodeToString(s.untold["password"]), "hex:" + clear("encryption_key"), "hex:" + clear("authentication_key"), exitOK, "result=success"},
		"wrong key":           {place("wrong_key"), place("wrong_key"), place("authentication_key"), exitFailed, "result=auth"},
		"wrong second key":    {place("password"), place("encryption_key"), place("wrong_key"), exitFailed, "result=auth"},
		"wrong lengths":       {place("password"), place("short_key"), clear("authentication_key") + "00", exitUsage, "a key of security suite"},
		"keys exchanged":      {place("encryption_key"), place("authentication_key"), place("encryption_key"), exitFailed, "result=auth"},
		"half a digit":        {"hex:" + clear("encryption_key") + "0", clear("encryption_key")[:31] + "g", place("authentication_key"), exitUsage, "hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			file := s.config(c.password, c.key, c.authKey)
			out, errs, status := another(t, "dump", "-config", file, "-once", "-debug")
			require.Equal(t, c.status, status, errs)
			require.Contains(t, out+errs, c.contains)
			s.untold.require(t, "dump", out+errs)
			out, errs, _ = another(t, "check", "-config", file, "-debug")
			s.untold.require(t, "check", out+errs)
			record := filepath.Join(t.TempDir(), "record")
			_, errs, status = another(t, "dump", "-config", file, "-once", "-record", record)
			s.untold.require(t, "dump -record", errs)
			if status != exitUsage {
				out, errs, status = another(t, "decode", "-redact", record)
				require.Equal(t, exitOK, status, errs)
				s.untold.require(t, "decode -redact", out+errs)
			}
		})
	}
	keys := strings.Fields("-framing wrapper -client_address 1 -authentication high-gmac -debug -encryption_key " + place("encryption_key") + " -authentication_key")
	for _, second := range []string{"authentication_key", "wrong_key", "short_key"} {
		args := append(keys, place(second))
		for _, command := range [][]string{{"get", s.keys, "1.0.1.8.0.255"}, {"get", s.keys, "1.0.1.8.0.255", "-format", "json"}, {"objects", s.keys}} {
			out, errs, _ := another(t, append(command, args...)...)
			s.untold.require(t, strings.Join(command, " "), out+errs)
		}
	}
	list, err := filepath.Glob(filepath.Join(s.dir, "state", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, f := range list {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		s.untold.require(t, f, string(b))
	}
}

// TestNoSecretInCrash: the program crashes in the middle of a poll, with the
// fullest dump that Go writes.
func TestNoSecretInCrash(t *testing.T) {
	s := newSecretMeters(t)
	file := s.config(string(s.untold["password"]), hex.EncodeToString(s.untold["encryption_key"]), hex.EncodeToString(s.untold["authentication_key"]))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "dump", "-config", file, "-debug")
	c.Env = append(os.Environ(), asProgram+"=1", "GOTRACEBACK=system")
	var errs strings.Builder
	c.Stderr = &errs
	p := &polling{rig: &rig{t: t}, cmd: c}
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	p.read(out)
	require.True(t, p.await(1, "request=keys", "result=success"))
	require.True(t, p.await(1, "request=word", "result=success"))
	close(s.hold)
	require.NoError(t, c.Process.Signal(syscall.SIGQUIT))
	for p.next() {
		s.untold.require(t, "output", p.lines.Text())
	}
	require.Error(t, c.Wait())
	require.Contains(t, errs.String(), "SIGQUIT: quit")
	require.Contains(t, errs.String(), "goroutine ")
	require.Contains(t, errs.String(), "dlms_cosem.(*link)", "it is in the middle of a poll")
	s.untold.require(t, "crash", errs.String())
}
