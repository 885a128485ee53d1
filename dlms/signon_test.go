package dlms

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// wire is a serial line in memory: the client's end of it, with how it is set.
type wire struct {
	net.Conn
	began time.Time
	echo  bool

	mu       sync.Mutex
	now      Characters
	switches []string // what it was set to, and when
	sent     [][]byte
	log      []string // what the meter says that happens
	back     []byte   // an echo to be read
	fails    error
}

func (w *wire) Switch(c Characters, delay time.Duration) error {
	t := time.NewTimer(delay)
	<-t.C
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = c
	parity := "N"
	if c.Even {
		parity = "E"
	}
	w.switches = append(w.switches, fmt.Sprintf("%d %d%s at %s", c.Baud, c.DataBits, parity, time.Since(w.began).Round(time.Millisecond)))
	return w.fails
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.sent = append(w.sent, bytes.Clone(b))
	if w.echo {
		w.back = append(w.back, b...)
	}
	w.mu.Unlock()
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	n := copy(b, w.back)
	w.back = w.back[n:]
	w.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	return w.Conn.Read(b)
}

func (w *wire) line() (baud, dataBits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now.Baud, w.now.DataBits
}

func (w *wire) trace(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, event)
}

func (w *wire) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

// signOnMeter is a line to a meter that has to be asked to speak HDLC.
func signOnMeter(t *testing.T, s dlmstest.SignOn) *wire {
	near, far := net.Pipe()
	w := &wire{Conn: near, began: time.Now()}
	s.Line, s.Trace = w.line, w.trace
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dlmstest.ServeSignOn(ctx, far, dlmstest.Config{}, holding{}, s)
	}()
	t.Cleanup(func() {
		_ = near.Close()
		cancel()
		<-done
		synctest.Wait()
	})
	return w
}

// readOver signs on, and reads over HDLC.
func readOver(t *testing.T, w *wire, s SignOn) Signed {
	t.Helper()
	signed, err := s.Run(context.Background(), w)
	require.NoError(t, err)
	c, err := NewConn(w, hdlcConfig)
	require.NoError(t, err)
	a, err := c.Associate(context.Background(), AssociationConfig{})
	require.NoError(t, err)
	requireValue(t, a, registers(1)[0])
	require.NoError(t, a.Release(context.Background()))
	return signed
}

func TestSignOn(t *testing.T) {
	session := []string{"request", "identification", "acknowledgement", "session", "end"}
	for _, c := range []struct {
		name     string
		meter    dlmstest.SignOn
		how      SignOn
		baud     int
		ack      string
		switches []string
		log      []string
		differs  func(*Signed)
	}{
		{name: "as in the standard", baud: 9600, ack: "\x06252\r\n",
			switches: []string{"300 7E at 0s", "9600 7E at 628ms", "9600 8N at 828ms"}},
		{name: "quick meter", meter: dlmstest.SignOn{Identification: "/SIm6\\2X"}, baud: 19200, ack: "\x06262\r\n"},
		{name: "upper limit", how: SignOn{Limit: 2400}, baud: 2400, ack: "\x06232\r\n"},
		{name: "speed of 300", meter: dlmstest.SignOn{Identification: "/SIM0\\2X"}, baud: 300, ack: "\x06202\r\n"},
		{name: "address", meter: dlmstest.SignOn{Address: "4711"}, how: SignOn{Address: "4711"}, baud: 9600, ack: "\x06252\r\n"},
		{name: "longer delay", how: SignOn{SwitchDelay: 150 * time.Millisecond}, baud: 9600, ack: "\x06252\r\n",
			switches: []string{"300 7E at 0s", "9600 7E at 778ms", "9600 8N at 978ms"}},
		{name: "no confirmation", meter: dlmstest.SignOn{NoConfirmation: true}, baud: 9600, ack: "\x06252\r\n", differs: func(s *Signed) { s.Confirmed = false }},
		{name: "broken confirmation", meter: dlmstest.SignOn{BrokenConfirmation: true}, baud: 9600, ack: "\x06252\r\n", differs: func(s *Signed) { s.Confirmed = false }},
		{name: "not announced", meter: dlmstest.SignOn{Identification: "/SIM5X"}, how: SignOn{Force: true}, baud: 9600, ack: "\x06252\r\n"},
		{name: "parity in software", meter: dlmstest.SignOn{Parity: true}, how: SignOn{SoftwareParity: true}, baud: 9600, ack: "\x06\xb25\xb2\x8d\n",
			switches: []string{"300 8N at 0s", "9600 8N at 628ms", "9600 8N at 828ms"}},
		{name: "asleep", meter: dlmstest.SignOn{Sleeps: 40}, how: SignOn{Wakeup: 66}, baud: 9600, ack: "\x06252\r\n"},
		{name: "left in a session", meter: dlmstest.SignOn{Session: 4800}, how: SignOn{Last: 4800}, baud: 9600, ack: "\x06252\r\n",
			log: append([]string{"session", "wrong speed", "end", "wrong speed", "break"}, session...), differs: func(s *Signed) { s.Recovered = true }},
		{name: "left in a session at a speed that is not known", meter: dlmstest.SignOn{Session: 9600}, baud: 9600, ack: "\x06252\r\n",
			log: append([]string{"session", "wrong speed", "end", "wrong speed", "break"}, session...), differs: func(s *Signed) { s.Recovered = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := signOnMeter(t, c.meter)
				var err error
				c.how.Disconnect, err = DisconnectFrame(hdlcConfig)
				require.NoError(t, err)
				signed := readOver(t, w, c.how)
				require.NotEmpty(t, signed.Identification.Maker)
				signed.Identification = Signed{}.Identification
				want := Signed{Baud: c.baud, Confirmed: true}
				if c.differs != nil {
					c.differs(&want)
				}
				require.Equal(t, want, signed)
				found := false
				for _, b := range w.sent {
					found = found || string(b) == c.ack
				}
				require.True(t, found, "%q", w.sent)
				if c.switches != nil {
					require.Equal(t, c.switches, w.switches)
				}
				synctest.Wait()
				log := c.log
				if log == nil {
					log = session
				}
				require.Equal(t, log, slices.Compact(w.events()))
			})
		})
	}
}

// TestSignOnAgain: after a release the meter has to be asked again.
func TestSignOnAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := signOnMeter(t, dlmstest.SignOn{})
		for range 3 {
			signed := readOver(t, w, SignOn{})
			require.False(t, signed.Recovered)
		}
	})
}

// TestSignOnEcho: a line that sends back what we send.
func TestSignOnEcho(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := signOnMeter(t, dlmstest.SignOn{})
		w.echo = true
		signed, err := SignOn{}.Run(context.Background(), w)
		require.NoError(t, err)
		require.True(t, signed.Confirmed)
	})
	t.Run("only", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := signOnMeter(t, dlmstest.SignOn{Address: "1"})
			w.echo = true
			_, err := SignOn{Address: "2"}.Run(context.Background(), w)
			var timeout *TimeoutError
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Echo)
			require.Equal(t, opSignOn, timeout.Op)
		})
	})
}

func TestSignOnFails(t *testing.T) {
	for name, c := range map[string]struct {
		meter dlmstest.SignOn
		how   SignOn
		want  string
	}{
		"another address":    {dlmstest.SignOn{Address: "1"}, SignOn{Address: "2"}, "sign-on: no answer within"},
		"address not to be":  {dlmstest.SignOn{}, SignOn{Address: "!"}, "in a device address"},
		"asleep":             {dlmstest.SignOn{Sleeps: 100}, SignOn{Wakeup: 10}, "nothing was received"},
		"not announced":      {dlmstest.SignOn{Identification: "/SIM5X"}, SignOn{}, `sign-on: the meter ("/SIM5X") does not announce mode E (\2)`},
		"readout":            {dlmstest.SignOn{Readout: true}, SignOn{Limit: 300}, "sends an ASCII readout"},
		"no identification":  {dlmstest.SignOn{Identification: "hello"}, SignOn{}, "no whole message among them, first octets 68656C6C6F0D0A"},
		"readout at request": {dlmstest.SignOn{Identification: "\x021-0:1.8.0(1)"}, SignOn{}, "sends an ASCII readout"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, err := c.how.Run(context.Background(), signOnMeter(t, c.meter))
				require.ErrorContains(t, err, c.want)
			})
		})
	}
}

// TestSignOnFixed: a line that stays at one speed, as over a serial server.
func TestSignOnFixed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := signOnMeter(t, dlmstest.SignOn{Identification: "/SIM0\\2X"})
		signed := readOver(t, w, SignOn{Fixed: 300})
		require.Equal(t, 300, signed.Baud)
		require.Equal(t, []string{"300 7E at 0s", "300 7E at 628ms", "300 8N at 828ms"}, w.switches)
	})
}

// TestSignOnEnds: ctx ends it at any moment, and so does the line.
func TestSignOnEnds(t *testing.T) {
	for after := time.Duration(0); after < 4*time.Second; after += 130 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := signOnMeter(t, dlmstest.SignOn{Sleeps: 1})
				ctx, cancel := context.WithTimeout(context.Background(), after)
				defer cancel()
				began := time.Now()
				_, err := SignOn{}.Run(ctx, w)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.LessOrEqual(t, time.Since(began), after+time.Millisecond)
			})
		})
	}
	t.Run("closed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := signOnMeter(t, dlmstest.SignOn{})
			require.NoError(t, w.Close())
			_, err := SignOn{}.Run(context.Background(), w)
			require.ErrorContains(t, err, "sign-on: ")
		})
	})
	t.Run("cannot be set", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := signOnMeter(t, dlmstest.SignOn{})
			w.fails = fmt.Errorf("no such speed")
			_, err := SignOn{}.Run(context.Background(), w)
			require.ErrorContains(t, err, "no such speed")
		})
	})
}

// TestDialogModeC replays a dialog with a meter that was asked for a readout,
// and gave one: its identification is read, and what comes for ours is told.
func TestDialogModeC(t *testing.T) {
	turns := dialog(t, "dlg-norax-mode-c-not-e")[1:]
	bubble(t, func(t *testing.T) {
		asked := 0
		l := newLine(func(l *line, message []byte) {
			switch asked++; asked {
			case 1:
				require.Equal(t, turns[0].client, message)
				l.say(0, turns[0].meter[0])
			case 2:
				require.Equal(t, turns[len(turns)-1].client, message, "what should have been sent")
				l.say(0, turns[1].meter[0])
			}
		})
		_, err := SignOn{}.Run(context.Background(), &lineEnd{l})
		var mode *ModeError
		require.ErrorAs(t, err, &mode)
		require.Equal(t, `/APA5\2NORAX30`, mode.Identification)
		require.Equal(t, 2, asked)
	})
}

// lineEnd is a line whose characters are what they are.
type lineEnd struct{ *line }

func (*lineEnd) Switch(Characters, time.Duration) error { return nil }
