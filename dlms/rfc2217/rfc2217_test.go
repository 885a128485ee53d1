package rfc2217

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// server is the other end: it logs what it is told, and answers as it is made.
type server struct {
	conn    net.Conn
	began   time.Time
	options bool // it agrees to them
	refuses bool
	silent  bool            // it does not confirm
	baud    byte            // in place of the lowest octet of a baud rate; 0: as told
	piece   int             // octets of one write; 0: all
	says    map[byte][]byte // for an octet of data

	mu  sync.Mutex
	log []string
}

func (s *server) note(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, a...))
}

func (s *server) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

func (s *server) send(b []byte) {
	n := len(b)
	if s.piece > 0 {
		n = s.piece
	}
	for ; len(b) > 0; b = b[min(n, len(b)):] {
		_, _ = s.conn.Write(b[:min(n, len(b))])
	}
}

// serve reads Telnet by a reading of its own.
func (s *server) serve() {
	var b [1]byte
	next := func() (byte, bool) {
		_, err := io.ReadFull(s.conn, b[:])
		return b[0], err == nil
	}
	for {
		c, ok := next()
		if !ok {
			return
		}
		if c != 0xFF {
			s.data(c)
			continue
		}
		verb, _ := next()
		switch verb {
		case 0xFF:
			s.data(0xFF)
		case 0xFA:
			var sub []byte
			for {
				c, ok := next()
				if !ok {
					return
				}
				if c == 0xFF {
					if c, _ = next(); c == 0xF0 {
						break
					}
				}
				sub = append(sub, c)
			}
			s.told(sub)
		default:
			option, _ := next()
			s.note("%02X%02X", verb, option)
			switch {
			case !s.options && !s.refuses:
			case s.refuses && verb == 0xFB:
				s.send([]byte{0xFF, 0xFE, option})
			case verb == 0xFB:
				s.send([]byte{0xFF, 0xFD, option})
			case verb == 0xFD:
				s.send([]byte{0xFF, 0xFB, option})
			}
		}
	}
}

func (s *server) data(c byte) {
	s.note("data %02X at %s", c, time.Since(s.began))
	s.send(s.says[c])
}

func (s *server) told(sub []byte) {
	s.note("%X at %s", sub, time.Since(s.began))
	if s.silent {
		return
	}
	b := append([]byte{0xFF, 0xFA, sub[0], sub[1] + 100}, bytes.ReplaceAll(sub[2:], []byte{0xFF}, []byte{0xFF, 0xFF})...)
	if sub[1] == 1 && s.baud > 0 {
		b[len(b)-1] = s.baud
	}
	s.send(append(b, 0xFF, 0xF0))
}

// opened is a Port to a server.
func opened(t *testing.T, s *server) (*Port, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	s.conn, err = l.Accept()
	require.NoError(t, err)
	s.began = time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		_ = near.Close()
		_ = s.conn.Close()
		<-done
	})
	return Open(context.Background(), near)
}

// told are the settings that the server was told, without times.
func (s *server) settings() (list []string) {
	for _, e := range s.events() {
		if sub, ok := strings.CutPrefix(e, "2C"); ok {
			sub, _, _ = strings.Cut(sub, " ")
			list = append(list, sub)
		}
	}
	return list
}

func TestPort(t *testing.T) {
	for _, piece := range []int{0, 1, 2, 3} {
		t.Run(fmt.Sprintf("%d octets at a time", piece), func(t *testing.T) {
			s := &server{options: true, piece: piece, says: map[byte][]byte{0x7E: {1, 0xFF, 0xFF, 0xFF, 0xF1, 2}}}
			p, err := opened(t, s)
			require.NoError(t, err)
			line := serial.Settings{Baud: 300, DataBits: 7, Parity: serial.Even, DTR: serial.On, RTS: serial.Off}
			require.NoError(t, p.Configure(line, true))
			// No flow control, DTR, RTS; 300 baud, 7 bits, even, 1 stop bit.
			want := []string{"0501", "0508", "050C", "010000012C", "0207", "0303", "0401"}
			require.Equal(t, want, s.settings())
			require.NoError(t, p.Configure(line, false))
			require.Equal(t, want, s.settings(), "nothing has changed")

			n, err := p.Write([]byte{0x30, 0xFF, 0x7E})
			require.NoError(t, err)
			require.Equal(t, 3, n)
			got := make([]byte, 3)
			require.NoError(t, p.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err = io.ReadFull(p, got)
			require.NoError(t, err)
			require.Equal(t, []byte{1, 0xFF, 2}, got)

			// Three characters of 300 baud have to leave before the speed changes; what comes stays.
			began := time.Now()
			s.says[0x31] = []byte{9}
			_, err = p.Write([]byte{0x30, 0x30, 0x31})
			require.NoError(t, err)
			require.NoError(t, p.Switch(serial.Settings{Baud: 9600, DTR: serial.On, RTS: serial.Off}, 5*time.Millisecond))
			require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond+5*time.Millisecond)
			require.Equal(t, append(want, "0100002580", "0208", "0301", "0401"), s.settings())
			n, err = p.Read(got)
			require.NoError(t, err)
			require.Equal(t, []byte{9}, got[:n])

			require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Millisecond)))
			_, err = p.Read(got)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, p.Close())
		})
	}
}

func TestOtherServers(t *testing.T) {
	for name, c := range map[string]struct {
		server *server
		want   string
	}{
		"refuses COM port control": {&server{refuses: true}, ErrNoControl.Error()},
		"another speed":            {&server{options: true, baud: 0xFE}, "the server does not set the baud rate to 9600, but to 9726"},
		"does not confirm":         {&server{options: true, silent: true}, "the server does not confirm that the baud rate is set"},
		"no Telnet at all":         {&server{}, ErrNoControl.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := opened(t, c.server)
			if err == nil {
				err = p.Configure(serial.Settings{}, false)
			}
			require.ErrorContains(t, err, c.want)
		})
	}
	t.Run("ctx ends", func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := Open(ctx, near)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("flood", func(t *testing.T) {
		s := &server{options: true, silent: true, says: map[byte][]byte{1: make([]byte, 4*most)}}
		p, err := opened(t, s)
		require.NoError(t, err)
		_, err = p.Write([]byte{1})
		require.NoError(t, err)
		require.ErrorIs(t, p.Switch(serial.Settings{}, 0), errFlood)
	})
}

// TestOptions: what the server asks for that we do not have is refused, once.
func TestOptions(t *testing.T) {
	p := &Port{offered: map[[2]byte]bool{}, answers: map[byte][]byte{}}
	p.parser = parser{option: p.option, control: func(byte, []byte) {}}
	in, err := hex.DecodeString(strings.ReplaceAll("FFFD18 FFFD18 FFFB01 FFFB03 FFFD00 FFFE2C FFFC05", " ", ""))
	require.NoError(t, err)
	require.Empty(t, p.parser.parse(nil, in))
	require.Equal(t, "fffc18"+"fffe01"+"fffd03"+"fffb00"+"fffc2c"+"fffe05", hex.EncodeToString(p.replies))
	require.True(t, p.refused)
}

func FuzzTelnet(f *testing.F) {
	f.Add([]byte{1, 0xFF, 0xFF, 2, 0xFF, 0xFA, 44, 101, 0, 0, 0xFF, 0xFF, 0, 0xFF, 0xF0, 3}, 1)
	f.Add([]byte{0xFF, 0xFD, 44, 0xFF, 0xFB, 0, 0xFF}, 2)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		run := func(pieces ...[]byte) (data []byte, log []string) {
			p := parser{
				option:  func(verb, option byte) { log = append(log, fmt.Sprint(verb, option)) },
				control: func(command byte, value []byte) { log = append(log, fmt.Sprint(command, value)) },
			}
			for _, piece := range pieces {
				data = p.parse(data, piece)
			}
			return data, log
		}
		at := 0
		if len(b) > 0 {
			at = int(uint(cut) % uint(len(b)))
		}
		data, log := run(b)
		data2, log2 := run(b[:at], b[at:])
		if !bytes.Equal(data, data2) || strings.Join(log, ";") != strings.Join(log2, ";") {
			t.Fatalf("in pieces: %X %q, whole: %X %q", data2, log2, data, log)
		}
		if again, log := run(appendData(nil, b)); !bytes.Equal(again, b) || len(log) > 0 {
			t.Fatalf("%X came back as %X with %q", b, again, log)
		}
	})
}
