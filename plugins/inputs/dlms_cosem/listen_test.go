package dlms_cosem

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// capture is a real telegram, and what its source says that it holds.
type capture struct {
	ID, Framing, GUEK, GAK string
	Hex                    []string
	Expected               []struct {
		OBIS    string
		Value   any
		Unit    string
		Type    string
		FoundAt string `json:"found_at"`
		Missing bool   `json:"not_found_in_telegram"`
	}
}

func readCaptures(t testing.TB) (list []capture) {
	t.Helper()
	files, err := filepath.Glob("../../../dlms/testdata/captures/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		var c capture
		require.NoError(t, json.Unmarshal(text, &c), f)
		list = append(list, c)
	}
	return list
}

// pipes is a port at which meters connect through pipes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4059} }

// conn is a pipe with the address of a meter.
type conn struct {
	net.Conn
	from net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.from }

func peerAt(s string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	return a
}

// connect is a meter that connects from an address.
func (p *pipes) connect(from string) net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- conn{ours, peerAt(from)}
	return theirs
}

// datagrams is a socket to which meters send in tests.
type datagrams struct {
	list   chan datagram
	closed chan struct{}
	once   sync.Once
}

type datagram struct {
	from net.Addr
	b    []byte
}

func newDatagrams() *datagrams {
	return &datagrams{list: make(chan datagram), closed: make(chan struct{})}
}

func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case x := <-d.list:
		return copy(b, x.b), x.from, nil
	case <-d.closed:
		return 0, nil, net.ErrClosed
	}
}
func (d *datagrams) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }
func (d *datagrams) Close() error                              { d.once.Do(func() { close(d.closed) }); return nil }
func (d *datagrams) LocalAddr() net.Addr                       { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4059} }
func (d *datagrams) SetDeadline(time.Time) error               { return nil }
func (d *datagrams) SetReadDeadline(time.Time) error           { return nil }
func (d *datagrams) SetWriteDeadline(time.Time) error          { return nil }

func (d *datagrams) send(from string, b []byte) { d.list <- datagram{peerAt(from), b} }

// hearing is a plugin that listens in a bubble.
type hearing struct {
	t     *testing.T
	d     *DLMS
	acc   *sink
	log   *journal
	tcp   *pipes
	udp   *datagrams
	line  net.Conn // the meter's end of the serial line or connection
	start time.Time
}

// hear runs a test with a plugin that listens.
func hear(t *testing.T, conf string, test func(h *hearing)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hearing{t: t, acc: &sink{}, tcp: newPipes(), udp: newDatagrams(), start: time.Now()}
		lines := make(chan net.Conn, 1)
		n := newNetwork(t)
		n.set("", &host{serve: func(ctx context.Context, c net.Conn) {
			lines <- c
			<-ctx.Done()
			_ = c.Close()
		}})
		h.d, h.log = plugin(t, n, conf)
		h.d.Listen = func(context.Context, string) (net.Listener, error) { return h.tcp, nil }
		h.d.ListenPacket = func(context.Context, string) (net.PacketConn, error) { return h.udp, nil }
		require.NoError(t, h.d.Init())
		require.NoError(t, h.d.Start(h.acc))
		defer h.d.Stop()
		if !h.d.requests[0].endpoint.listening() {
			h.line = <-lines
		}
		test(h)
	})
}

// say sends octets over the line, and waits until they are dealt with.
func (h *hearing) say(b []byte) {
	h.t.Helper()
	_, err := h.line.Write(b)
	require.NoError(h.t, err)
	synctest.Wait()
}

const (
	onLine = "[[inputs.dlms_cosem]]\nendpoint = \"tcp://10.0.0.5:7000\"\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"han\"\n"
	onTCP  = "[[inputs.dlms_cosem]]\nendpoint = \"tcp-listen://:4059\"\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"pushes\"\n"
	onUDP  = "[[inputs.dlms_cosem]]\nendpoint = \"udp-listen://:4059\"\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"pushes\"\n"
)

// same reports whether two numbers are equal, or differ by a power of ten.
func same(a, b float64, exact bool) bool {
	if math.Abs(a-b) <= 1e-9*math.Abs(a) {
		return true
	}
	if exact || a == 0 || b == 0 {
		return false
	}
	e := math.Log10(a / b)
	return math.Abs(e-math.Round(e)) < 1e-9
}

// TestCaptures: every real telegram gives every value that its source states.
func TestCaptures(t *testing.T) {
	presets := map[string]string{
		"amshan-kaifa-no-list-1": "kaifa-no", "amshan-hdlc-7d-7e-in-info": "kaifa-no",
		"amshan-kamstrup-no-list-1-single-phase-real-sample": "kamstrup-no", "amshan-kamstrup-no-list-2-single-phase-real-sample": "kamstrup-no",
		"amshan-kamstrup-se-hdlc": "kamstrup-se", "amshan-kamstrup-se-list-real-sample": "kamstrup-se",
	}
	named := map[string]string{"list-ver-id": "1.1.0.2.129.255", "meter-id": "", "meter-type": ""}
	checked := 0
	for _, c := range readCaptures(t) {
		t.Run(c.ID, func(t *testing.T) {
			conf := onTCP
			if p := presets[c.ID]; p != "" {
				conf += fmt.Sprintf("preset = %q\n", p)
			}
			if c.GUEK != "" {
				conf += fmt.Sprintf("encryption_key = %q\n", c.GUEK)
			}
			if c.GAK != "" {
				conf += fmt.Sprintf("authentication_key = %q\n", c.GAK)
			} else if c.GUEK != "" {
				conf += "allow_unauthenticated = true\n"
			}
			hear(t, conf, func(h *hearing) {
				t := h.t
				meter := h.tcp.connect("10.1.0.7:1234")
				for _, m := range c.Hex {
					b, err := hex.DecodeString(m)
					require.NoError(t, err)
					_, err = meter.Write(b)
					require.NoError(t, err)
					synctest.Wait()
				}
				_ = meter.Close()
				points := h.acc.values()
				if len(c.Expected) > 0 {
					require.NotEmpty(t, points)
				}
				for _, p := range points {
					require.NotEmpty(t, p.tags["device"])
				}
				for _, x := range c.Expected {
					if x.Missing && x.Value != float64(0) || x.Value == "" {
						continue // not in the telegram by its own account; the empty text is a logical name
					}
					p := findValue(points, x.OBIS, named, x.Value)
					require.NotNil(t, p, "%s = %v is missing among %v", x.OBIS, x.Value, points)
					if number, ok := x.Value.(float64); ok {
						require.True(t, same(number, p.fields["value"].(float64), x.Unit != "" && x.FoundAt == "" && !strings.HasPrefix(c.ID, "dp-hdlc-kamstrup")), "%s: want %v, got %v", x.OBIS, number, p)
						if x.Unit != "" {
							require.Equal(t, x.Unit, p.tags["unit"])
						}
					}
					checked++
				}
				if c.ID == "dp-mbus-kmswest" {
					require.Len(t, h.acc.errors(), 1)
					require.Contains(t, h.acc.errors()[0], "an encrypted telegram came from system title 454C536570000001, and there is no key for it")
					return
				}
				require.Empty(t, h.acc.errors())
			})
		})
	}
	require.Greater(t, checked, 250)
}

// findValue finds the point of an expected value: by its code, whose groups A
// and B the sources may leave open, or by its text.
func findValue(points []point, code string, named map[string]string, value any) *point {
	for i := range points {
		p := &points[i]
		if text, ok := value.(string); ok && strings.Contains(code, "-id") || ok && code == "meter-type" || ok && code == "0-0:0.0.0.0" {
			if p.fields["text"] == text {
				return p
			}
			continue
		}
		c, err := obis.Parse(p.tags["obis"])
		if err != nil || !codeFits(code, c) {
			continue
		}
		if text, ok := value.(string); ok {
			got, _ := p.fields["text"].(string)
			if got == text || len(got) > 18 && strings.HasPrefix(got[:10]+" "+got[11:], text) {
				return p
			}
			continue
		}
		if _, ok := p.fields["value"]; ok {
			return p
		}
	}
	return nil
}

func codeFits(code string, c obis.Code) bool {
	if rest, ok := strings.CutPrefix(code, "*-*:"); ok {
		return c[0] == 1 && rest == fmt.Sprintf("%d.%d.%d.%d", c[2], c[3], c[4], c[5])
	}
	want := strconv.Itoa(int(c[0])) + "-" + strconv.Itoa(int(c[1])) + ":" + fmt.Sprintf("%d.%d.%d.%d", c[2], c[3], c[4], c[5])
	return code == want || code == "0-0:1.0.0.255" && c[0] == 0 && c[2] == 1 && c[3] == 0
}
