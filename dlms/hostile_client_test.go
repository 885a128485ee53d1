package dlms

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// bounded runs f in a bubble, and requires that it allocates at most so many
// octets, and takes at most so long: of the bubble's time, as a meter would see
// it, and of real time.
func bounded(t *testing.T, octets uint64, within time.Duration, f func(t *testing.T)) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f(t)
		require.LessOrEqual(t, time.Since(start), within)
	})
	require.Less(t, time.Since(began), time.Minute, "of real time")
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, octets, "octets allocated")
}

// answersWith is a meter that says this to every GET, in the wrapper.
func answersWith(value []byte) *line {
	return newLine(wrapperMeter(meterApp(allServices, 0, func(q xdlms.GetRequest) []byte {
		return append([]byte{0xC4, 1, byte(q.InvokeID), 0}, value...)
	})))
}

// TestHostileValues: what is in the meter's answer costs no more than its
// octets. Rows: element counts, nesting, length forms.
func TestHostileValues(t *testing.T) {
	for name, value := range map[string][]byte{
		"array of 4 G elements":      mustHex("0184FFFFFFFF"),
		"structure of 4 G elements":  mustHex("0284FFFFFFFF"),
		"compact-array of 4 G":       mustHex("131184FFFFFFFF"),
		"octet-string of 2 G octets": mustHex("09847FFFFFFF41"),
		"length of 8 octets":         mustHex("0988FFFFFFFFFFFFFFFF41"),
		"negative length":            mustHex("09888000000000000000"),
		"nested, 60 KB":              bytes.Repeat([]byte{1, 1}, 30000),
		"nested types, 60 KB":        append([]byte{0x13}, bytes.Repeat([]byte{2, 1}, 30000)...),
		"compact-array that unfolds": append(mustHex("13 02FF"+strings.Repeat("00", 255)+"8200FF"), make([]byte, 255)...),
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, 4<<20, 2*time.Minute, func(t *testing.T) {
				a := associated(t, answersWith(value), wrapperConfig)
				_, err := a.Get(context.Background(), register(1, 1), nil)
				var protocol *ProtocolError
				require.ErrorAs(t, err, &protocol)
				err = a.GetRows(context.Background(), register(1, 1), nil, func(axdr.Data) error { return nil })
				require.Error(t, err)
				err = a.GetList(context.Background(), registers(3), func(_ int, _ axdr.Data, err error) { require.Error(t, err) })
				if err != nil {
					require.ErrorAs(t, err, &protocol)
				}
			})
		})
	}
}

// TestHostileBlocks: blocks and segments without end are ended by us, at MaxAPDU
// octets and in the time of the exchange.
func TestHostileBlocks(t *testing.T) {
	endless := func(size int) func(xdlms.GetRequest) []byte {
		number := uint32(0)
		return func(q xdlms.GetRequest) []byte {
			number++
			b := append([]byte{0xC4, 2, byte(q.InvokeID), 0, byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number), 0, 0x82, byte(size >> 8), byte(size)}, make([]byte, size)...)
			if number == 1 {
				copy(b[12:], mustHex("0984 3FFFFFFF"))
			}
			return b
		}
	}
	for name, size := range map[string]int{"blocks of 8 octets": 8, "blocks of 1,000 octets": 1000, "blocks of 60,000 octets": 60000} {
		t.Run(name, func(t *testing.T) {
			bounded(t, 64<<20, time.Hour, func(t *testing.T) {
				cfg := wrapperConfig
				if size == 8 {
					cfg.MaxAPDU, cfg.MaxBlocks = 1<<16, 0
				}
				a := associated(t, newLine(wrapperMeter(meterApp(allServices, 0, endless(size)))), cfg)
				_, err := a.Get(context.Background(), register(1, 1), nil)
				require.ErrorContains(t, err, "the blocks hold more than")
			})
		})
	}
	t.Run("segments", func(t *testing.T) {
		bounded(t, 32<<20, 3*time.Hour, func(t *testing.T) {
			m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
			m.frame = onGet(func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
				if kind := f.Control.Kind(); kind != hdlc.I && kind != hdlc.RR {
					return false
				}
				m.vr = 2
				info := make([]byte, 500)
				if n == 1 {
					info = append(mustHex("E6E700 C401C1 00 0984 3FFFFFFF"), info...)
				}
				l.say(0, must(hdlc.Frame{Destination: m.client, Source: m.server, Segmented: true, Control: hdlc.Information(m.vs, 2, true), Info: info[:min(len(info), 510)]}.Append(nil)))
				m.vs = (m.vs + 1) % 8
				return true
			})
			a := associated(t, newLine(m.answer), hdlcConfig)
			_, err := a.Get(context.Background(), register(1, 7), nil)
			require.Error(t, err)
			require.Error(t, a.Lost())
		})
	})
}

// TestHostileSlowness: a header that promises 65,535 octets, and then nothing,
// or an octet now and then, holds nobody for longer than the octets would take
// on the slowest line.
func TestHostileSlowness(t *testing.T) {
	for name, pause := range map[string]time.Duration{
		"silence": 0, "an octet per minute": time.Minute, "an octet per 4 seconds": 4 * time.Second, "an octet per second": time.Second,
	} {
		for _, login := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " at login", false: " at a read"}[login], func(t *testing.T) {
				bounded(t, 4<<20, 6*time.Minute, func(t *testing.T) {
					good := wrapperMeter(meterApp(allServices, 1024, values))
					l := newLine(func(l *line, message []byte) {
						if !login && message[8] != byte(xdlms.TagGetRequest) {
							good(l, message)
							return
						}
						l.say(0, must(wrapper.Append(nil, 1, 16, make([]byte, 65535)))[:20])
						if pause > 0 {
							for n := range 1000 {
								l.say(time.Duration(n)*pause, []byte{0})
							}
						}
					})
					c, err := NewConn(l, wrapperConfig)
					require.NoError(t, err)
					a, err := c.Associate(context.Background(), AssociationConfig{})
					if !login {
						require.NoError(t, err)
						_, err = a.Get(context.Background(), register(1, 1), nil)
					}
					require.Error(t, err)
				})
			})
		}
	}
}

// acceptance is an AARE in logical names that accepts at once, with changes.
func acceptance(change func(a *acse.AARE, r *xdlms.InitiateResponse)) []byte {
	r := xdlms.InitiateResponse{Version: 6, Conformance: DefaultConformance | xdlms.ConformanceAction, MaxPDU: 1000, VAA: xdlms.VAANameLN}
	a := acse.AARE{Context: acse.LN, HasUserInformation: true}
	change(&a, &r)
	if a.UserInformation == nil {
		a.UserInformation = r.Append(nil)
	}
	return must(a.Append(nil))
}

// TestHostileAARE: who answers the login with less than was asked for is told
// nothing more: no request, no proof of the secret, nothing under the keys.
func TestHostileAARE(t *testing.T) {
	ours := []byte("TGD\x01\x02\x03\x04\x05")
	next := uint32(0)
	keys := security.Keys{EncryptionKey: bytes.Repeat([]byte{1}, 16), AuthenticationKey: bytes.Repeat([]byte{2}, 16)}
	gmac := AssociationConfig{Mechanism: acse.HLSGMAC, Title: ours, Security: &Security{Title: ours, Keys: keys, Counter: func() (uint32, error) { next++; return next, nil }}}
	sha := AssociationConfig{Mechanism: acse.HLSSHA256, Title: ours, Password: []byte("secret word")}
	challenge := func(a *acse.AARE) {
		a.Diagnostic = acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticAuthenticationRequired}
		a.Mechanism, a.AuthenticationValue, a.RespondingTitle = acse.HLSSHA256, bytes.Repeat([]byte{7}, 16), []byte("MMM\x01\x02\x03\x04\x05")
	}
	// Here our answer to the challenge goes out, which gives nothing away; before all others nothing does.
	proofs := []string{"no services"}
	for name, c := range map[string]struct {
		how    AssociationConfig
		answer []byte
	}{
		"no ciphering": {gmac, acceptance(func(*acse.AARE, *xdlms.InitiateResponse) {})},
		"no ciphering, with a challenge": {gmac, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			challenge(a)
			a.Mechanism = acse.HLSGMAC
		})},
		"ciphered context, plain initiate": {gmac, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			challenge(a)
			a.Context, a.Mechanism = acse.LNCiphered, acse.HLSGMAC
		})},
		"title of 255 octets": {gmac, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			a.Context = acse.LNCiphered
			a.UserInformation = append(append(mustHex("DB FF"), bytes.Repeat([]byte{'A'}, 255)...), mustHex("06 30 00000001 00")...)
		})},
		"the title is ours": {gmac, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			challenge(a)
			a.Context, a.Mechanism, a.RespondingTitle = acse.LNCiphered, acse.HLSGMAC, ours
		})},
		"no proof asked for": {sha, acceptance(func(*acse.AARE, *xdlms.InitiateResponse) {})},
		"low in place of high": {sha, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			challenge(a)
			a.Mechanism = acse.Low
		})},
		"another mechanism": {sha, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) {
			challenge(a)
			a.Mechanism = acse.HLSMD5
		})},
		"no services":                {sha, acceptance(func(a *acse.AARE, r *xdlms.InitiateResponse) { challenge(a); r.Conformance = xdlms.ConformanceGet })},
		"challenge too short":        {sha, acceptance(func(a *acse.AARE, _ *xdlms.InitiateResponse) { challenge(a); a.AuthenticationValue = []byte{1} })},
		"AARE that promises 2 GB":    {sha, mustHex("61 84 7FFFFFFF A1")},
		"user field of 4 GB":         {sha, mustHex("61 10 A2030201 00 BE 84FFFFFFFF 04")},
		"nothing after the password": {AssociationConfig{Mechanism: acse.Low, Password: []byte("secret word")}, mustHex("61 00")},
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, 4<<20, 3*time.Minute, func(t *testing.T) {
				l := newLine(wrapperMeter(func(apdu []byte) []byte {
					if apdu[0] == byte(xdlms.TagAARQ) {
						return c.answer
					}
					if q, err := xdlms.ParseActionRequest(apdu); err == nil { // pass 4 is left out
						return must((&xdlms.ActionResponse{InvokeID: q.InvokeID, HasReturn: true, Return: axdr.AppendNull(nil)}).Append(nil))
					}
					return nil
				}))
				conn, err := NewConn(l, wrapperConfig)
				require.NoError(t, err)
				_, err = conn.Associate(context.Background(), c.how)
				require.Error(t, err)
				for i, b := range l.sent {
					require.NotContains(t, string(b), string(keys.EncryptionKey))
					if c.how.Mechanism != acse.Low {
						require.NotContains(t, string(b), "secret word")
					}
					may := []xdlms.APDUTag{xdlms.TagAARQ, xdlms.TagRLRQ}
					if slices.Contains(proofs, name) {
						may = append(may, xdlms.TagActionRequest)
					}
					require.Contains(t, may, xdlms.APDUTag(b[8]), "message %d: % X", i, b)
				}
			})
		})
	}
}

// TestHostileStreams: octets in any portions cost a Deframer a bounded number of
// looks at each; where it waited in vain, silence makes it look again.
func TestHostileStreams(t *testing.T) {
	repeat := func(head string, unit []byte, n int) []byte { return append(mustHex(head), bytes.Repeat(unit, n)...) }
	for name, b := range map[string][]byte{
		"flags in a wrapper":       repeat("000100010010FFFF", []byte{0x7E}, 60000),
		"headers in a wrapper":     repeat("000100010010FFFF", []byte{0x7E, 0xA7, 0xFF}, 20000),
		"starts in a wrapper":      repeat("000100010010FFFF", []byte{0x68, 0xFF, 0xFF, 0x68}, 15000),
		"starts and stops":         repeat("000100010010FFFF", []byte{0x68, 0x16}, 30000),
		"data-notification":        repeat("0F0000000000 0282EA60", []byte{0x11, 1}, 29000),
		"event-notification":       repeat("C20000010100010800FF02 0182FFFF", []byte{0x11, 1}, 29000),
		"telegram":                 append([]byte("/AAA5x\r\n\r\n"), bytes.Repeat([]byte("1-0:1.8.0(1*kWh)\r\n"), 3000)...),
		"beginnings of a telegram": bytes.Repeat([]byte("/AAA5x\r\n"), 7000),
		"names of makers":          bytes.Repeat([]byte("/AAA"), 15000),
		"slashes":                  bytes.Repeat([]byte{'/'}, 60000),
		"STX":                      bytes.Repeat([]byte{iecSTX}, 60000),
		"ciphered":                 repeat("DB08414141010101010182FFFF", []byte{0x7E, 0xA7, 0xFF}, 20000),
		"blocks":                   repeat("", mustHex("E0000001000082FFFF"), 6000),
	} {
		for _, portion := range []int{1, 1400, 4096} {
			t.Run(name, func(t *testing.T) {
				var d *Deframer
				bounded(t, 64<<20, 0, func(t *testing.T) {
					d = NewDeframer(DeframerConfig{})
					for rest := b; len(rest) > 0; {
						n := min(portion, len(rest))
						d.Write(rest[:n])
						rest = rest[n:]
						for _, ok := d.Next(); ok; _, ok = d.Next() {
							continue
						}
					}
				})
				require.LessOrEqual(t, d.Held(), 2<<20)
			})
		}
	}
}

const iecSTX = 2

// TestDribbledMessage: one that comes octet by octet is found, if late.
func TestDribbledMessage(t *testing.T) {
	body := axdr.AppendStructure(nil, 4000)
	for range 4000 {
		body = axdr.AppendUnsigned(body, 7)
	}
	apdu := must((&xdlms.DataNotification{InvokeID: 1, Body: body}).Append(nil))
	d := NewDeframer(DeframerConfig{})
	var got [][]byte
	drain := func() {
		for m, ok := d.Next(); ok; m, ok = d.Next() {
			got = append(got, bytes.Clone(m.APDU))
		}
	}
	for i := range apdu {
		d.Write(apdu[i : i+1])
		drain()
	}
	for d.Waiting() {
		d.Silence()
		drain()
	}
	require.Equal(t, [][]byte{apdu}, got)
}

// TestHostileStations: who begins messages from many stations, and ends none,
// fills no more memory than a few messages take.
func TestHostileStations(t *testing.T) {
	d, u := NewDeframer(DeframerConfig{}), &Unwrapper{}
	last := xdlms.GeneralBlock{Window: 0}
	highest := 0
	for round := range 40 {
		for station := range uint16(120) {
			from := hdlc.Address{Upper: 1 + station, Size: 2}
			d.Write(must(hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: from, Segmented: true, Control: hdlc.Information(uint8(round%8), 0, true), Info: make([]byte, 2000)}.Append(nil)))
			for _, ok := d.Next(); ok; _, ok = d.Next() {
				require.Fail(t, "no message ends")
			}
			last.Number, last.Data = uint16(round+1), make([]byte, 2000)
			_, _ = u.Unwrap(Message{Framing: HDLC, From: from, APDU: last.Append(nil)})
			highest = max(highest, d.Held(), u.Held())
		}
	}
	require.Greater(t, highest, 3<<20, "the test fills what there is")
	require.LessOrEqual(t, highest, 2*leastHeld)
	require.NotZero(t, d.Stats().Lost)
}
