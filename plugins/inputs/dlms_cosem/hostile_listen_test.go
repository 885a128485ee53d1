package dlms_cosem

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	tamperAttack = 8 << 20 // octets that one attack may make the program allocate besides what is due to its octets
	attackTime   = time.Minute
)

// besieged runs a test with a plugin that listens, and requires that it
// allocates no more than that for each octet of the attack, and that a meter is
// heard all the same when it is over.
func besieged(t *testing.T, conf string, octets int, attack func(h *hearing)) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	hear(t, conf, func(h *hearing) {
		attack(h)
		synctest.Wait()
		count := len(h.acc.energies())
		good := inWrapper(h.t, pushOf("HONEST", 4711))
		if h.d.requests[0].endpoint.network == udpListen {
			h.udp.send("10.1.9.9:1", good)
		} else {
			meter := h.tcp.connect("10.1.9.9:1")
			_, err := meter.Write(good)
			require.NoError(h.t, err)
			defer func() { _ = meter.Close() }()
		}
		synctest.Wait()
		require.Equal(h.t, []float64{4711}, h.acc.energies()[count:], "a meter is heard all the same")
		requireHarmless(h)
	})
	require.Less(t, time.Since(began), attackTime)
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(tamperAttack+512*octets), "octets allocated")
}

// requireHarmless requires that nothing that is said or counted can end a line,
// control a terminal, or fill a disk.
func requireHarmless(h *hearing) {
	h.t.Helper()
	texts := append(h.acc.errors(), h.log.at("")...)
	for _, p := range h.acc.all() {
		for k, v := range p.tags {
			texts = append(texts, k, v)
		}
		for k, v := range p.fields {
			texts = append(texts, k)
			if s, ok := v.(string); ok {
				texts = append(texts, s)
			}
		}
	}
	for _, s := range texts {
		require.True(h.t, utf8.ValidString(s), "%q", s)
		require.Equal(h.t, -1, strings.IndexFunc(s, unicode.IsControl), "%q", s)
		require.LessOrEqual(h.t, len(s), 2048, "%q", s)
	}
}

func attackOf(digits string, more ...byte) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return append(b, more...)
}

// TestHostilePushes: what is pushed costs no more than its octets, in all that
// carries it. Rows: element counts, nesting, titles, length forms.
func TestHostilePushes(t *testing.T) {
	times := 5
	if raceEnabled {
		times = 2
	}
	for name, apdu := range map[string][]byte{
		"array of 4 G elements":     attackOf("0F 00000001 00 01 84FFFFFFFF"),
		"structure of 4 G":          attackOf("0F 00000001 00 02 84FFFFFFFF"),
		"compact-array of 4 G":      attackOf("0F 00000001 00 13 11 84FFFFFFFF"),
		"length of 8 octets":        attackOf("0F 00000001 00 09 88FFFFFFFFFFFFFFFF 41"),
		"negative length":           attackOf("0F 00000001 00 09 888000000000000000 41"),
		"nested":                    attackOf("0F 00000001 00", bytes.Repeat([]byte{1, 1}, 30000)...),
		"nested types":              attackOf("0F 00000001 00 13", bytes.Repeat([]byte{2, 1}, 30000)...),
		"many values":               attackOf("0F 00000001 00 02 8200C8", bytes.Repeat([]byte{0x11, 1}, 200)...),
		"many names":                attackOf("18 00 82FFFF", bytes.Repeat([]byte{0xFA, 0}, 30000)...),
		"title of 255 octets":       attackOf("DB FF", bytes.Repeat([]byte{'A'}, 300)...),
		"title of 4 G octets":       attackOf("DB 84FFFFFFFF 41"),
		"ciphered of 4 G octets":    attackOf("DB 08 4D4D4D0000BC614E 84FFFFFFFF 30 00000001"),
		"ciphered, nothing in it":   attackOf("DB 08 4D4D4D0000BC614E 00"),
		"ciphered in ciphered":      bytes.Repeat(attackOf("DB 08 4D4D4D0000BC614E 82FFF0 00 00000001"), 3000),
		"block of 4 G octets":       attackOf("E0 80 0001 0000 84FFFFFFFF 0F"),
		"block in block":            bytes.Repeat(attackOf("E0 80 0001 0000 82FFF0"), 6000),
		"datagram of nothing":       {},
		"one octet":                 {0x0F},
		"text telegram without end": append([]byte("/AAA5x\r\n\r\n"), bytes.Repeat([]byte("1-0:1.8.0(1*kWh)\r\n"), 3000)...),
		"lines that are none":       append(append([]byte("/AAA5x\r\n\r\n"), bytes.Repeat([]byte("\x1b[2J(((\r\n"), 1000)...), "!\r\n"...),
		"beginnings of telegrams":   bytes.Repeat([]byte("/AAA5x\r\n"), 7000),
		"flags":                     bytes.Repeat([]byte{0x7E}, 60000),
		"wrapper that promises":     attackOf("0001 0001 0010 FFFF", bytes.Repeat([]byte{0x7E, 0xA7, 0xFF}, 20000)...),
		"frame that promises":       attackOf("7EA7FF0321", bytes.Repeat([]byte{0x55}, 3000)...),
		"M-Bus frame that promises": attackOf("68FAFA6853FF000167", bytes.Repeat([]byte{0x68}, 3000)...),
	} {
		for carrier, b := range map[string][]byte{"bare": apdu, "wrapper": inWrapper(t, apdu), "hdlc": nil} {
			if b == nil && carrier != "bare" {
				if len(apdu) > 1900 {
					continue
				}
				b = inHDLC(t, hdlc.Address{Upper: 1, Size: 1}, apdu)
			}
			t.Run(name+"/"+carrier, func(t *testing.T) {
				besieged(t, onUDP, times*len(b), func(h *hearing) {
					for range times {
						h.udp.send("10.1.0.7:1", b)
					}
				})
				besieged(t, onTCP, times*len(b), func(h *hearing) {
					c := h.tcp.connect("10.1.0.7:1")
					for range times {
						if _, err := c.Write(b); err != nil {
							break
						}
					}
					_ = c.Close()
				})
			})
		}
	}
}

// TestHostileParts: messages in segments, fragments and blocks that never end.
func TestHostileParts(t *testing.T) {
	segment := func(n int, station uint16) []byte {
		b, err := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: hdlc.Address{Upper: station, Size: 1}, Segmented: true, Control: hdlc.Information(uint8(n%8), 0, true), Info: bytes.Repeat([]byte{1}, 1000)}.Append(nil)
		require.NoError(t, err)
		return b
	}
	block := func(n int) []byte {
		g := xdlms.GeneralBlock{Number: uint16(n + 1), Data: bytes.Repeat([]byte{1}, 1000)}
		return inWrapper(t, g.Append(nil))
	}
	fragment := func(n int) []byte {
		return mbus.Frame{Control: 0x53, Address: 0xFF, CI: uint8(n % 16), Data: bytes.Repeat([]byte{1}, 200)}.Append(nil)
	}
	const parts = 3000
	for name, part := range map[string]func(n int) []byte{
		"segments":                    func(n int) []byte { return segment(n, 1) },
		"segments from many stations": func(n int) []byte { return segment(n/100, uint16(1+n%100)) },
		"blocks":                      block,
		"fragments":                   fragment,
	} {
		t.Run(name, func(t *testing.T) {
			besieged(t, onTCP, parts*1010, func(h *hearing) {
				c := h.tcp.connect("10.1.0.7:1")
				for n := range parts {
					_, err := c.Write(part(n))
					require.NoError(h.t, err)
				}
				synctest.Wait()
				_ = c.Close()
				require.Empty(h.t, h.acc.values())
			})
		})
	}
	t.Run("blocks from many senders", func(t *testing.T) {
		besieged(t, onUDP, 60*60_000, func(h *hearing) {
			g := xdlms.GeneralBlock{Number: 1, Data: make([]byte, 60_000)}
			first := inWrapper(h.t, g.Append(nil))
			for n := range 60 { // senders are invented as one likes
				h.udp.send(fmt.Sprintf("10.2.0.%d:1", n), first)
			}
			require.Empty(h.t, h.acc.values())
		})
	})
}

// TestSendersAreBounded: what datagrams in blocks make us hold is bounded in
// octets and in time.
func TestSendersAreBounded(t *testing.T) {
	hear(t, onUDP, func(h *hearing) {
		e := newEar(h.d.newListener(h.d.requests[0].endpoint, newOutput(h.acc)), nil, "")
		e.l.passive, e.datagram = h.d.requests[:1], true
		e.reset()
		g := xdlms.GeneralBlock{Number: 1, Data: make([]byte, 60_000)}
		first, now := inWrapper(h.t, g.Append(nil)), time.Now()
		for n := range 5000 {
			e.from = fmt.Sprint(n)
			e.takeDatagram(first, now)
			require.LessOrEqual(h.t, e.sendersHeld, mostOfSenders+1<<20)
		}
		require.NotEmpty(h.t, e.senders)
		e.from = "late"
		e.takeDatagram(first, now.Add(messageGap))
		require.Len(h.t, e.senders, 1, "what does not go on is given up")
	})
}

// TestShareOfMemory: those who hold much are closed, when all hold too much.
func TestShareOfMemory(t *testing.T) {
	l, from := &listener{}, ipOf(peerAt("10.1.0.7:1"))
	for n := range 100 {
		require.True(t, l.enters(from))
		e := &ear{l: l}
		err := l.holds(e, 4<<20)
		if n < 64 {
			require.NoError(t, err)
			continue
		}
		var much *tooMuchError
		require.ErrorAs(t, err, &much)
		require.NoError(t, l.holds(e, 1<<10), "one that holds little is served on")
	}
	l.leaves(from, &ear{held: l.held})
	require.Zero(t, l.held)
}

// TestSlowLoris: a header that promises much, and then nothing, or an octet now
// and then; the frame is given up, and what follows is heard.
func TestSlowLoris(t *testing.T) {
	for name, pause := range map[string]time.Duration{"silence": 0, "an octet per minute": time.Minute, "an octet per 3 seconds": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			besieged(t, onTCP, 1000, func(h *hearing) {
				c := h.tcp.connect("10.1.0.7:1")
				_, err := c.Write(attackOf("0001 0001 0010 FFFF"))
				require.NoError(h.t, err)
				if pause > 0 {
					for range 20 {
						time.Sleep(pause)
						_, err := c.Write([]byte{0x55})
						require.NoError(h.t, err)
					}
				} else {
					time.Sleep(time.Minute)
				}
				_, err = c.Write(inWrapper(h.t, pushOf("LORIS", 42)))
				require.NoError(h.t, err)
				synctest.Wait()
				require.Equal(h.t, []float64{42}, h.acc.energies(), "its beginning is forgotten")
				_ = c.Close()
			})
		})
	}
}

// TestIdleConnections are closed: soon those that never had a telegram, later
// those that had.
func TestIdleConnections(t *testing.T) {
	hear(t, onTCP, func(h *hearing) {
		nobody, meter := h.tcp.connect("10.1.0.7:1"), h.tcp.connect("10.1.0.8:1")
		_, err := meter.Write(inWrapper(h.t, pushOf("METER1", 1)))
		require.NoError(h.t, err)
		closed := func(c net.Conn) bool {
			if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				return true
			}
			_, err := c.Read(make([]byte, 1))
			return err != nil && !strings.Contains(err.Error(), "timeout")
		}
		time.Sleep(nobodyAtMost - time.Minute)
		require.False(h.t, closed(nobody))
		time.Sleep(2 * time.Minute)
		require.True(h.t, closed(nobody))
		time.Sleep(24 * time.Hour)
		require.False(h.t, closed(meter), "some push once a day")
		time.Sleep(idleAtMost)
		require.True(h.t, closed(meter))
		require.Contains(h.t, strings.Join(h.acc.errors(), "\n"), "the connection from 10.1.0.7 was closed: no telegram within 1h0m0s")
	})
}

// TestSocketsAreBounded: per address, so that one cannot have them all.
func TestSocketsAreBounded(t *testing.T) {
	hear(t, onTCP, func(h *hearing) {
		l := h.d.newListener(h.d.requests[0].endpoint, newOutput(h.acc))
		l.passive = h.d.requests[:1]
		for range mostOfSource {
			require.True(h.t, l.admits(peerAt("10.1.0.7:1")))
		}
		require.False(h.t, l.admits(peerAt("10.1.0.7:1")))
		for range mostSockets - mostOfSource {
			require.True(h.t, l.admits(peerAt("10.1.0.8:1")))
		}
		require.False(h.t, l.admits(peerAt("10.1.0.9:1")))
		l.leaves(ipOf(peerAt("10.1.0.7:1")), nil)
		require.True(h.t, l.admits(peerAt("10.1.0.9:1")))
	})
}

// TestForgedCounters: nobody shuts out a meter by a telegram with its title and
// the last counter there is: neither where such telegrams are refused, nor where
// telegrams without proof are allowed.
func TestForgedCounters(t *testing.T) {
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	forged := func(control byte, counter uint32, apdu []byte) []byte {
		title, err := hex.DecodeString(testTitle)
		require.NoError(t, err)
		protected := append(binary.BigEndian.AppendUint32([]byte{control}, counter), apdu...)
		if control&0x10 != 0 {
			protected = append(protected, make([]byte, 12)...)
		}
		c := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: title, Protected: protected}
		return c.Append(nil)
	}
	for name, allowed := range map[string]bool{"refused": false, "allowed": true} {
		t.Run(name, func(t *testing.T) {
			hear(t, onUDP+keyed+fmt.Sprintf("allow_unauthenticated = %v\n", allowed), func(h *hearing) {
				send := func(b []byte) { h.udp.send("10.1.0.7:1", b) }
				genuine := func(counter uint32) {
					send(seal(h.t, testTitle, testKey, testAuthKey, 0x30, counter, pushOf("METER1", counter)))
				}
				genuine(5)
				send(forged(0x00, 0xFFFFFFFF, pushOf("METER1", 1)))
				send(forged(0x10, 0xFFFFFFFF, pushOf("METER1", 2)))
				send(forged(0x20, 0xFFFFFFFF, pushOf("METER1", 3)))
				genuine(6)
				sealed := seal(h.t, testTitle, testKey, "", 0x20, 0xFFFFFFFE, pushOf("METER1", 4)) // who has the one key, not the other
				send(sealed)
				send(sealed)
				genuine(7)
				synctest.Wait()
				want := []float64{5, 6, 7}
				if allowed {
					want = []float64{5, 1, 6, 4, 7}
				}
				require.Equal(h.t, want, h.acc.energies())
				h.d.Stop()
				var kept floor
				found := false
				for key := range h.d.floors.list {
					var err error
					found, err = h.d.kept.Load(pushBucket, key, &kept)
					require.NoError(h.t, err)
				}
				require.True(h.t, found)
				require.Equal(h.t, uint32(7), kept.Last, "only what is proved outlives the program")
			})
		})
	}
	t.Run("a tag taken off", func(t *testing.T) {
		hear(t, onUDP+keyed+"allow_unauthenticated = true\n", func(h *hearing) {
			h.udp.send("10.1.0.7:1", seal(h.t, testTitle, testKey, testAuthKey, 0x30, 5, pushOf("METER1", 1)))
			h.udp.send("10.1.0.7:1", seal(h.t, testTitle, testKey, "", 0x20, 5, pushOf("METER1", 1)))
			synctest.Wait()
			require.Equal(h.t, []float64{1}, h.acc.energies(), "it was there before")
		})
	})
}

// TestHostileTexts: what a meter calls itself and its values.
func TestHostileTexts(t *testing.T) {
	for name, text := range map[string]string{
		"newline":       "A\ndlms_cosem,meter=x value=1 1\n",
		"return":        "A\r\nE! forged",
		"escape":        "A\x1b[2J\x1b]0;x\x07",
		"NUL":           "A\x00B",
		"no UTF-8":      "A\xff\xfe\xc3(",
		"bidi":          "A\u202Egnp.exe",
		"line protocol": "A,b=c d=1 \\",
		"long":          strings.Repeat("Ä", 30000),
	} {
		t.Run(name, func(t *testing.T) {
			besieged(t, onUDP, 20*(1000+4*len(text)), func(h *hearing) {
				body := axdr.AppendStructure(nil, 5)
				for _, code := range [][]byte{{0, 0, 42, 0, 0, 255}, {0, 0, 96, 1, 0, 255}} {
					body = axdr.AppendOctetString(body, code)
					body = axdr.AppendVisibleString(body, text)
				}
				body = axdr.AppendUTF8String(body, text)
				n := xdlms.DataNotification{InvokeID: 1, Body: body}
				apdu, err := n.Append(nil)
				require.NoError(h.t, err)
				for range 5 {
					h.udp.send("10.1.0.7:1", apdu)
					h.udp.send("10.1.0.7:1", append(append([]byte("/AAA5x\r\n\r\n0-0:96.1.1("), text...), ")\r\n!\r\n"...))
					h.udp.send("10.1.0.7:1", pushOf(text[:min(len(text), 200)], 1))
				}
				synctest.Wait()
				for _, p := range h.acc.all() {
					for _, v := range p.tags {
						require.LessOrEqual(h.t, len(v), 1024)
					}
				}
			})
		})
	}
}

// TestComplaintsAreBounded: any number of strangers fills neither the log nor a
// database with names.
func TestComplaintsAreBounded(t *testing.T) {
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\nidentity = \"4D4D4D*\"\n", testKey, testAuthKey)
	hear(t, onUDP+keyed, func(h *hearing) {
		for n := range mostStrangers + 1000 {
			title := fmt.Sprintf("4D4D4D%010X", n)
			h.udp.send("10.1.0.7:1", seal(h.t, title, testAuthKey, testKey, 0x30, 1, pushOf("X", 1)))
		}
		synctest.Wait()
		require.LessOrEqual(h.t, len(h.acc.errors()), mostSaid)
		devices := map[string]bool{}
		for _, p := range h.acc.all() {
			devices[p.tags["device"]] = true
		}
		require.LessOrEqual(h.t, len(devices), mostStrangers+1)
		time.Sleep(2 * time.Minute)
		h.udp.send("10.1.0.7:1", seal(h.t, testTitle, testAuthKey, testKey, 0x30, 1, pushOf("X", 1)))
		synctest.Wait()
		require.Contains(h.t, strings.Join(h.log.at("W! "), "\n"), "complaints of the last minutes stand among the debug messages only")
	})
}
