package dlms_cosem

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestOverheardDialogue: answers are paired with the questions of somebody else.
func TestOverheardDialogue(t *testing.T) {
	server, client := hdlc.Address{Upper: 1, Lower: 17, Size: 2}, hdlc.ClientAddress(16)
	frame := func(to, from hdlc.Address, llc string, apdu []byte) []byte {
		f := hdlc.Frame{Destination: to, Source: from, Control: hdlc.Information(0, 0, true), Info: append([]byte(llc), apdu...)}
		b, err := f.Append(nil)
		require.NoError(t, err)
		return b
	}
	ask := func(id xdlms.InvokeID, at ...cosem.Attribute) []byte {
		q := xdlms.GetRequest{Type: xdlms.GetNormal, InvokeID: id, Attributes: at}
		if len(at) > 1 {
			q.Type = xdlms.GetWithList
		}
		b, err := q.Append(nil)
		require.NoError(t, err)
		return frame(server, client, "\xE6\xE6\x00", b)
	}
	answer := func(apdu []byte) []byte { return frame(client, server, "\xE6\xE7\x00", apdu) }
	energy := cosem.Attribute{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}, ID: 2}
	scaler := energy
	scaler.ID = 3
	hear(t, onLine+"physical_address = 17\n", func(h *hearing) {
		h.say(ask(0xC1, scaler))
		h.say(answer(xdlms.AppendGetResponseNormal(nil, 0xC1, cosem.ScalerUnit{Scaler: 1, Unit: cosem.UnitWattHour}.Append(nil))))
		h.say(ask(0xC2, energy))
		h.say(answer(xdlms.AppendGetResponseNormal(nil, 0xC2, axdr.AppendDoubleLongUnsigned(nil, 5))))
		h.say(ask(0xC3, energy, scaler))
		list := xdlms.AppendGetResponseList(nil, 0xC3, 2)
		list = xdlms.AppendGetResult(list, axdr.AppendDoubleLongUnsigned(nil, 6), xdlms.Success)
		list = xdlms.AppendGetResult(list, cosem.ScalerUnit{Scaler: 1, Unit: cosem.UnitWattHour}.Append(nil), xdlms.Success)
		h.say(answer(list))
		h.say(ask(0xC4, energy))
		h.say(answer(xdlms.AppendGetResponseNormal(nil, 0xC5, axdr.AppendDoubleLongUnsigned(nil, 7)))) // of no question
		h.say(answer(xdlms.AppendGetResponseError(nil, 0xC4, xdlms.ObjectUndefined)))
		time.Sleep(holdAtMost + time.Second) // nobody says who it is
		h.say(ask(0xC6, energy))
		h.say(answer(xdlms.AppendGetResponseNormal(nil, 0xC6, axdr.AppendDoubleLongUnsigned(nil, 8))))
		require.Equal(h.t, []float64{80}, h.acc.energies())
		require.Equal(h.t, "17", h.acc.values()[0].tags["address"])
		require.Equal(h.t, "Wh", h.acc.values()[0].tags["unit"])
	})
	items := "[[inputs.dlms_cosem.request.item]]\nname = \"a\"\nobis = \"1.0.1.8.0.255\"\nscaler = 0\n[[inputs.dlms_cosem.request.item]]\nname = \"b\"\nobis = \"1.0.2.8.0.255\"\nscaler = 0\n"
	for _, assume := range []bool{false, true} {
		hear(t, onTCP+fmt.Sprintf("assume_order = %v\n", assume)+items, func(h *hearing) {
			c := h.tcp.connect("10.1.0.7:1")
			for n := range uint32(4) { // answers alone
				_, err := c.Write(inWrapper(h.t, xdlms.AppendGetResponseNormal(nil, xdlms.InvokeID(0xC0+n), axdr.AppendDoubleLongUnsigned(nil, n))))
				require.NoError(h.t, err)
			}
			synctest.Wait()
			if !assume {
				require.Empty(h.t, h.acc.values())
			} else {
				require.Equal(h.t, []float64{0, 2}, h.acc.energies())
				require.Len(h.t, h.acc.values("name", "b"), 2)
			}
			_ = c.Close()
		})
	}
}

// TestCarriers: the same push in all that it may come in.
func TestCarriers(t *testing.T) {
	apdu := pushOf("METER1", 42)
	half := len(apdu) / 2
	fragment := func(ci uint8, b []byte) []byte {
		return mbus.Frame{Control: 0x53, Address: 0xFF, CI: ci, Data: append([]byte{1, 0x67}, b...)}.Append(nil)
	}
	block := func(n uint16, last bool, b []byte) []byte {
		g := xdlms.GeneralBlock{Number: n, Last: last, Streaming: true, Data: b}
		return g.Append(nil)
	}
	source := hdlc.Address{Upper: 1, Size: 1}
	segment := func(more bool, b []byte) []byte {
		f := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: source, Control: hdlc.Unnumbered(hdlc.UI, false), Segmented: more, Info: b}
		out, err := f.Append(nil)
		require.NoError(t, err)
		return out
	}
	first := append([]byte{0xE6, 0xE7, 0}, apdu[:half]...)
	twice := append(append([]byte{0xE6, 0xE7, 0}, apdu...), pushOf("METER1", 43)...)
	p1 := iec62056.AppendTelegram(nil, `ISK5\2M550T-1012`, []string{"0-0:96.1.1(4D4554455231)", "1-0:1.8.0(000000.042*kWh)"})
	plain := strings.Replace(string(p1[:len(p1)-6]), "0.042", "0.043", 1) + "\r\n"
	for _, c := range []struct {
		name   string
		chunks [][]byte
		pause  time.Duration
		want   []float64
	}{
		{"HDLC", [][]byte{inHDLC(t, source, apdu)}, 0, []float64{42}},
		{"HDLC, one flag between", [][]byte{inHDLC(t, source, apdu), inHDLC(t, source, apdu)[1:]}, 0, []float64{42, 42}},
		{"HDLC segments with a pause", [][]byte{segment(true, first), segment(false, apdu[half:])}, 5 * time.Second, []float64{42}},
		{"HDLC, two in a frame", [][]byte{inHDLC(t, source, twice[3:])}, 0, []float64{42, 43}},
		{"HDLC, blocks with LLC in the first only", [][]byte{segment(false, append([]byte{0xE6, 0xE7, 0}, block(1, false, apdu[:half])...)), segment(false, block(2, true, apdu[half:]))}, time.Second, []float64{42}},
		{"M-Bus", [][]byte{fragment(0x10, apdu)}, 0, []float64{42}},
		{"M-Bus fragments with a pause and short frames", [][]byte{fragment(0, apdu[:half]), {0x10, 0x40, 1, 0x41, 0x16}, fragment(0x11, apdu[half:])}, 3 * time.Second, []float64{42}},
		{"wrapper", [][]byte{inWrapper(t, apdu)}, 0, []float64{42}},
		{"wrapper, octet by octet", chunked(inWrapper(t, apdu)), 0, []float64{42}},
		{"wrapper, blocks", [][]byte{inWrapper(t, block(1, false, apdu[:half])), inWrapper(t, block(2, true, apdu[half:]))}, time.Second, []float64{42}},
		{"bare", [][]byte{apdu}, 0, []float64{42}},
		{"bare with LLC", [][]byte{append([]byte{0xE6, 0xE7, 0}, apdu...)}, 0, []float64{42}},
		{"P1 with its check", [][]byte{p1}, 0, []float64{42}},
		{"P1 without, then with, then without", [][]byte{[]byte(plain), p1, []byte(plain)}, 5 * time.Second, []float64{43, 42}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hear(t, onLine, func(h *hearing) {
				for _, b := range c.chunks {
					h.say(b)
					time.Sleep(c.pause)
				}
				require.Equal(h.t, c.want, h.acc.energies())
				for _, p := range h.acc.values() {
					require.Equal(h.t, "METER1", p.tags["device"])
				}
			})
		})
	}
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	hear(t, onLine+keyed, func(h *hearing) { // P1 inside of ciphering, without a frame
		h.say(seal(h.t, testTitle, testKey, testAuthKey, 0x30, 1, p1))
		h.say(seal(h.t, testTitle, testKey, testAuthKey, 0x30, 2, p1[:len(p1)-8])) // without its last line
		require.Equal(h.t, []float64{42}, h.acc.energies()[:1])
		require.Equal(h.t, testTitle, h.acc.values()[0].tags["device"])
	})
}

func chunked(b []byte) (list [][]byte) {
	for i := range b {
		list = append(list, b[i:i+1])
	}
	return list
}

// TestOverheardShortNames: READ has no number, but one is under way at a time.
func TestOverheardShortNames(t *testing.T) {
	items := "[[inputs.dlms_cosem.request.item]]\nname = \"energy\"\nobis = \"1.0.1.8.0.255\"\nbase_name = 0x1000\nscaler = 0\nunit = \"Wh\"\n"
	hear(t, onTCP+items, func(h *hearing) {
		c := h.tcp.connect("10.1.0.7:1")
		for _, apdu := range [][]byte{
			{0x05, 2, 2, 0x10, 0x08, 2, 0x20, 0x08},                           // READ 1008h and 2008h
			{0x0C, 2, 0, 6, 0, 0, 0, 42, 0, 0x12, 0, 7},                       // both
			{0x0C, 1, 0, 6, 0, 0, 0, 43},                                      // an answer to nothing
			{0x05, 1, 2, 0x10, 0x08}, {0x0C, 2, 0, 0x12, 0, 1, 0, 0x12, 0, 2}, // not to this
			{0x05, 1, 2, 0x10, 0x08}, {0x0C, 1, 1, 3}, // refused
		} {
			source, destination := uint16(16), uint16(1)
			if apdu[0] == 0x0C {
				source, destination = destination, source
			}
			b, err := wrapper.Append(nil, source, destination, apdu)
			require.NoError(h.t, err)
			_, err = c.Write(b)
			require.NoError(h.t, err)
		}
		synctest.Wait()
		require.Equal(h.t, []float64{42}, h.acc.energies())
		_ = c.Close()
	})
}

// TestTitleOfServiceSpecificCiphering: such a telegram does not state it.
func TestTitleOfServiceSpecificCiphering(t *testing.T) {
	event := xdlms.EventNotification{Attribute: cosem.Attribute{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}, ID: 2}, Value: axdr.AppendDoubleLongUnsigned(nil, 9)}
	apdu, err := event.Append(nil)
	require.NoError(t, err)
	general := seal(t, testTitle, testKey, testAuthKey, 0x30, 1, apdu)
	c, _, err := xdlms.CutCiphered(general)
	require.NoError(t, err)
	c.Tag = xdlms.TagGloEventNotification
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	for _, title := range []string{"", fmt.Sprintf("server_system_title = %q\n", testTitle)} {
		hear(t, onUDP+keyed+title, func(h *hearing) {
			h.udp.send("10.1.0.7:1", inWrapper(h.t, c.Append(nil)))
			synctest.Wait()
			if title == "" {
				require.Equal(h.t, []string{"decrypt"}, h.acc.results())
				return
			}
			require.Equal(h.t, []float64{9}, h.acc.energies())
			require.Equal(h.t, testTitle, h.acc.values()[0].tags["device"])
		})
	}
}
