package dlmstest_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// Frames of client 16 to logical device 1, one-octet addresses, without
// parameters: what is in force is 128 octets and windows of 1.
const (
	snrm = "7E A0 07 03 21 93 0F 01 7E"
	ua   = "7E A0 07 21 03 73 01 40 7E"
	disc = "7E A0 07 03 21 53 03 C7 7E"
	dm   = "7E A0 07 21 03 1F 6B E9 7E"
	rr1  = "7E A0 07 03 21 31 17 87 7E"

	aarqNone = "601D A109060760857405080101 BE10040E 01000000065F1F0400001E1DFFFF"
	getBig   = "C001C1 0001 0000010000FF 02 00" // an octet-string of 600 octets
	getWh    = "C001C1 0003 0100010800FF 02 00"
	gotWh    = "C401C1 00 06 00A9C3F2"
)

// frame is one from client 16, in hexadecimal.
func frame(t testing.TB, control hdlc.Control, info string) string {
	t.Helper()
	f := hdlc.Frame{Destination: hdlc.Address{Upper: 1, Size: 1}, Source: hdlc.ClientAddress(16), Control: control, Info: octets(t, info)}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

// answer is one to client 16.
func answer(t *testing.T, control hdlc.Control, segmented bool, info string) string {
	t.Helper()
	f := hdlc.Frame{
		Destination: hdlc.ClientAddress(16), Source: hdlc.Address{Upper: 1, Size: 1},
		Segmented: segmented, Control: control, Info: octets(t, info),
	}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

// linked is a client with an open link and association: N(S) and N(R) are 1.
func linked(t *testing.T, cfg dlmstest.Config) *client {
	t.Helper()
	cfg.Framing, cfg.BareUA = dlmstest.FramingHDLC, true
	c := connect(t, cfg)
	c.exchange(snrm, ua)
	c.associateHDLC()
	return c
}

func (c *client) associateHDLC() {
	c.t.Helper()
	c.send(frame(c.t, 0x10, "E6E600"+aarqNone))
	got, rest, err := hdlc.CutFrame(c.read(57, patience))
	require.NoError(c.t, err)
	require.Equal(c.t, []byte{hdlc.Flag}, rest)
	require.Equal(c.t, hdlc.Control(0x30), got.Control)
	aare, err := acse.ParseAARE(got.Info[3:])
	require.NoError(c.t, err)
	require.Equal(c.t, acse.Accepted, aare.Result)
}

// frame17 is a frame from client 16 to logical device 1 of the physical device 17.
func frame17(t *testing.T, control hdlc.Control, info []byte) string {
	t.Helper()
	f := hdlc.Frame{Destination: hdlc.Address{Upper: 1, Lower: 17, Size: 2}, Source: hdlc.ClientAddress(16), Control: control, Info: info}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

func TestHDLCGoldenAssociation(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxPDU: 1224, Conformance: 0x001E1D, MaxInfo: 154})
	proposal := hdlc.Parameters{MaxInfoTransmit: 512, MaxInfoReceive: 512}.Append(nil)
	c.exchange(frame17(t, 0x93, proposal), "7E A01F 21 0223 73 E6C7 8180 12 05019A 06019A 070400000001 080400000001 CCA2 7E")
	c.exchange("7EA02C 0223 21 10 AF9F E6E600 601D A109060760857405080101 BE10040E 01000000065F1F0400001E1DFFFF C5E4 7E",
		"7EA038 21 0223 30 34E7 E6E700 6129 A109060760857405080101 A203020100 A305A103020100 BE10040E 0800065F1F0400001E1D04C80007 B86A 7E")
	c.counted(func(n dlmstest.Counters) bool { return n.Links == 1 && n.Associations == 1 && n.Requests == 1 })
}

func TestHDLCGoldenGet(t *testing.T) {
	t.Parallel()
	c := linked(t, dlmstest.Config{})
	get := "7EA0190321326FD8E6E600 C001C1 0003 0100010800FF 02 00 32687E"
	got := "7EA0152103525D8AE6E700 C401C1 00 06 00A9C3F2 EBBF7E"
	c.exchange(get, got)
	c.exchange(get, got) // the same frame again: the same answer, from memory
	c.exchange(disc, ua)
	c.exchange(disc, dm)
	c.exchange("7EA0190321326FD8E6E600 C001C1 0003 0100010800FF 02 00 32687E", dm)
	n := c.meter.Counters()
	require.Equal(t, dlmstest.Counters{Connections: 1, Links: 1, Associations: 1, Gets: 1, Items: 1, Requests: 2, Repeats: 1, Releases: 1}, n)
}

func TestHDLCOctetByOctetAndNoise(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, BareUA: true})
	for _, b := range octets(t, "00 FF 7E 7E"+snrm) {
		c.send(hex.EncodeToString([]byte{b}))
	}
	c.expect(ua)
	c.send("7E A0 07 03 21 93 0F 02 7E") // false FCS
	c.silence()
	c.exchange(disc, ua)
	require.Positive(t, c.meter.Counters().BadFrames)
}

func TestHDLCAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		cfg      dlmstest.Config
		to       hdlc.Address
		answered bool
	}{
		{"one octet", dlmstest.Config{}, hdlc.Address{Upper: 1, Size: 1}, true},
		{"any physical device", dlmstest.Config{}, hdlc.Address{Upper: 1, Lower: 99, Size: 2}, true},
		{"four octets", dlmstest.Config{}, hdlc.Address{Upper: 1, Lower: 1234, Size: 4}, true},
		{"another logical device", dlmstest.Config{}, hdlc.Address{Upper: 2, Size: 1}, false},
		{"configured logical device", dlmstest.Config{LogicalAddress: 2}, hdlc.Address{Upper: 2, Size: 1}, true},
		{"listed", dlmstest.Config{PhysicalAddresses: []uint16{17, 18}}, hdlc.Address{Upper: 1, Lower: 18, Size: 2}, true},
		{"not listed", dlmstest.Config{PhysicalAddresses: []uint16{17, 18}}, hdlc.Address{Upper: 1, Lower: 19, Size: 2}, false},
		{"none where one is listed", dlmstest.Config{PhysicalAddresses: []uint16{17}}, hdlc.Address{Upper: 1, Size: 1}, false},
		{"no physical device at all", dlmstest.Config{PhysicalAddresses: []uint16{}}, hdlc.Address{Upper: 1, Lower: 17, Size: 2}, false},
		{"another size", dlmstest.Config{AddressSize: 4}, hdlc.Address{Upper: 1, Lower: 17, Size: 2}, false},
		{"the size", dlmstest.Config{AddressSize: 2}, hdlc.Address{Upper: 1, Lower: 17, Size: 2}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.cfg.Framing, tt.cfg.BareUA = dlmstest.FramingHDLC, true
			c := connect(t, tt.cfg)
			f, err := hdlc.Frame{Destination: tt.to, Source: hdlc.ClientAddress(16), Control: 0x93}.Append(nil)
			require.NoError(t, err)
			c.send(hex.EncodeToString(f))
			if !tt.answered {
				c.silence()
				c.counted(func(n dlmstest.Counters) bool { return n.Foreign == 1 })
				return
			}
			want, err := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: tt.to, Control: 0x73}.Append(nil)
			require.NoError(t, err)
			c.expect(hex.EncodeToString(want))
		})
	}
}

func TestHDLCNegotiation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		maxInfo, window  int
		proposed, answer string
	}{
		{"none proposed", 0, 0, "", "8180 12 050180 060180 070400000001 080400000001"},
		{"smaller meter", 62, 0, "", "8180 12 05013E 06013E 070400000001 080400000001"},
		{"meter's own limit", 0, 0, "8180 14 050207D0 060207D0 070400000001 080400000001", "8180 14 05020400 06020400 070400000001 080400000001"},
		{"each way its own", 0, 3, "8180 14 05020200 06020100 070400000002 080400000007", "8180 14 05020100 06020200 070400000003 080400000002"},
		{"absurd", 0, 3, "8180 0C 050100 060100 070100 080100", "8180 12 050180 060180 070400000001 080400000001"},
		{"cut off", 0, 0, "8180 12 0501", "8180 12 050180 060180 070400000001 080400000001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxInfo: tt.maxInfo, Window: tt.window})
			c.exchange(frame(t, 0x93, tt.proposed), answer(t, 0x73, false, tt.answer))
		})
	}
}

// bigAnswer is the LLC header and the APDU that answers getBig, cut to 128 octets.
func bigAnswer() [][]byte {
	b := append([]byte{0xe6, 0xe7, 0, 0xc4, 0x01, 0xc1, 0, 0x09, 0x82, 0x02, 0x58}, make([]byte, 600)...)
	var parts [][]byte
	for len(b) > 0 {
		n := min(len(b), 128)
		parts = append(parts, b[:n])
		b = b[n:]
	}
	return parts
}

func TestHDLCSegmentedAnswer(t *testing.T) {
	t.Parallel()
	c := linked(t, dlmstest.Config{})
	parts := bigAnswer()
	require.Len(t, parts, 5)
	segment := func(i int) string {
		return answer(t, hdlc.Information(uint8(1+i), 2, true), i < 4, hex.EncodeToString(parts[i]))
	}
	c.exchange(frame(t, 0x32, "E6E600"+getBig), segment(0))
	c.exchange(frame(t, hdlc.ReceiveReady(2, true), ""), segment(1))
	c.exchange(frame(t, hdlc.ReceiveReady(2, true), ""), segment(1)) // lost on the way
	c.exchange(frame(t, hdlc.ReceiveReady(3, true), ""), segment(2))
	c.exchange(frame(t, hdlc.ReceiveReady(4, true), ""), segment(3))
	c.exchange(frame(t, hdlc.ReceiveReady(5, true), ""), segment(4))
	c.exchange(frame(t, hdlc.Information(2, 6, true), "E6E600"+getWh), answer(t, hdlc.Information(6, 3, true), false, "E6E700"+gotWh))
	c.exchange(frame(t, hdlc.ReceiveReady(7, true), ""), answer(t, hdlc.ReceiveReady(3, true), false, ""))
}

func TestHDLCWindow(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxInfo: 128, Window: 3})
	c.exchange(frame(t, 0x93, "8180 12 050180 060180 070400000001 080400000007"),
		answer(t, 0x73, false, "8180 12 050180 060180 070400000003 080400000001"))
	c.associateHDLC()
	parts := bigAnswer()
	segment := func(i int, final bool) string {
		return answer(t, hdlc.Information(uint8(1+i), 2, final), i < 4, hex.EncodeToString(parts[i]))
	}
	c.exchange(frame(t, 0x32, "E6E600"+getBig), segment(0, false)+segment(1, false)+segment(2, true))
	// The second one was lost: N(R) is its number, and the window starts there.
	c.exchange(frame(t, hdlc.ReceiveReady(2, true), ""), segment(1, false)+segment(2, false)+segment(3, true))
	c.exchange(frame(t, hdlc.ReceiveReady(5, true), ""), segment(4, true))
}

func TestHDLCSegmentedRequest(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, BareUA: true})
	c.exchange(snrm, ua)
	aarq := octets(t, "E6E600"+aarqNone)
	parts := [][]byte{aarq[:10], aarq[10:20], aarq[20:]}
	for i, part := range parts {
		f := hdlc.Frame{
			Destination: hdlc.Address{Upper: 1, Size: 1}, Source: hdlc.ClientAddress(16),
			Segmented: i < 2, Control: hdlc.Information(uint8(i), 0, true), Info: part,
		}
		b, err := f.Append(nil)
		require.NoError(t, err)
		c.send(hex.EncodeToString(b))
		if i < 2 {
			c.expect(answer(t, hdlc.ReceiveReady(uint8(i+1), true), false, ""))
		}
	}
	got, _, err := hdlc.CutFrame(c.read(57, patience))
	require.NoError(t, err)
	require.Equal(t, hdlc.Information(0, 3, true), got.Control)
	require.Equal(t, byte(0x61), got.Info[3])
	require.Equal(t, 1, c.meter.Counters().Segmented)
}

func TestHDLCEndlessRequestIsRejected(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC})
	c.send(frame(t, 0x93, hex.EncodeToString(hdlc.Parameters{MaxInfoTransmit: 1024}.Append(nil))))
	c.read(34, patience)
	for i := range 100 {
		f := hdlc.Frame{
			Destination: hdlc.Address{Upper: 1, Size: 1}, Source: hdlc.ClientAddress(16),
			Segmented: true, Control: hdlc.Information(uint8(i), 0, true), Info: make([]byte, 1024),
		}
		b, err := f.Append(nil)
		require.NoError(t, err)
		c.send(hex.EncodeToString(b))
		got, _, err := hdlc.CutFrame(c.read(9, patience))
		if err != nil || got.Control.Kind() != hdlc.RR {
			require.Equal(t, 64, i)
			return
		}
	}
	require.Fail(t, "100 KiB were accepted")
}

func TestHDLCUnnumbered(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, BareUA: true})
	c.exchange(frame(t, 0x10, "E6E600"+aarqNone), dm) // I without a link
	c.exchange(rr1, dm)
	c.exchange(disc, dm)
	c.exchange(snrm, ua)
	c.send(frame(t, 0x13, "E6E600"+aarqNone)) // UI: nobody answers
	c.silence()
	c.exchange(frame(t, 0x99, ""), answer(t, 0x97, false, "99 00 01")) // REJ is not in the repertoire
	c.exchange(rr1, dm)                                                // and the link is gone
	c.exchange(snrm, ua)
	c.exchange(frame(t, hdlc.ReceiveReady(3, true), ""), answer(t, 0x97, false, "71 00 08")) // bad N(R)
	c.exchange(snrm, ua)
	c.exchange(frame(t, 0x10, hex.EncodeToString(make([]byte, 129))), answer(t, 0x97, false, "10 00 04"))
}

func TestHDLCPollBit(t *testing.T) {
	t.Parallel()
	c := linked(t, dlmstest.Config{})
	c.send(frame(t, hdlc.Information(1, 1, false), "E6E600"+getWh))
	c.silence() // not asked yet
	c.send(frame(t, hdlc.ReceiveReady(1, false), ""))
	c.silence()
	c.exchange(frame(t, hdlc.ReceiveReady(1, true), ""), answer(t, hdlc.Information(1, 2, true), false, "E6E700"+gotWh))
}

func TestHDLCLossRecovery(t *testing.T) {
	t.Parallel()
	get, got := frame(t, 0x32, "E6E600"+getWh), answer(t, 0x52, false, "E6E700"+gotWh)
	tests := []struct {
		name   string
		faults dlmstest.Faults
		dialog func(c *client)
	}{
		{"request lost", dlmstest.Faults{IgnoreRequests: 1}, func(c *client) {
			c.exchange(frame(t, hdlc.ReceiveReady(1, true), ""), answer(t, hdlc.ReceiveReady(1, true), false, ""))
			c.exchange(get, got)
		}},
		{"answer lost, polled", dlmstest.Faults{LoseAnswers: 1}, func(c *client) {
			c.exchange(frame(t, hdlc.ReceiveReady(1, true), ""), got)
		}},
		{"answer lost, repeated", dlmstest.Faults{LoseAnswers: 1}, func(c *client) {
			c.exchange(get, got)
			require.Equal(t, 1, c.meter.Counters().Gets)
		}},
		{"answer lost twice", dlmstest.Faults{LoseAnswers: 2}, func(c *client) {
			c.send(get)
			c.silence()
			c.exchange(get, got)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := linked(t, dlmstest.Config{Faults: &tt.faults})
			c.send(get)
			c.silence()
			tt.dialog(c)
		})
	}
}

func TestHDLCFaults(t *testing.T) {
	t.Parallel()
	get, got := frame(t, 0x32, "E6E600"+getWh), answer(t, 0x52, false, "E6E700"+gotWh)
	spoilt := bytes.Clone(octets(t, got))
	spoilt[len(spoilt)-2] ^= 0xff
	tests := []struct {
		name   string
		faults dlmstest.Faults
		answer string
	}{
		{"answer twice", dlmstest.Faults{RepeatAnswers: 1}, got + got},
		{"false FCS", dlmstest.Faults{WrongFCS: 1}, hex.EncodeToString(spoilt)},
		{"half an answer", dlmstest.Faults{TruncateFrames: 1}, got[:len(got)/4*2]},
		{"noise", dlmstest.Faults{Noise: []byte{0xff, 0x7e, 0}}, "FF7E00" + got},
		{"DM", dlmstest.Faults{DMOnRequest: 1}, dm},
		{"FRMR", dlmstest.Faults{FRMROnRequest: 1}, answer(t, 0x97, false, "32 42 01")},
		{"RNR", dlmstest.Faults{RNROnRequest: 1}, answer(t, hdlc.ReceiveNotReady(2, true), false, "")},
		{"another invoke-id", dlmstest.Faults{WrongInvokeID: 1}, answer(t, 0x52, false, "E6E700 C401C2 00 06 00A9C3F2")},
		{"another priority", dlmstest.Faults{WrongPriority: true}, answer(t, 0x52, false, "E6E700 C40101 00 06 00A9C3F2")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := linked(t, dlmstest.Config{Faults: &tt.faults})
			c.exchange(get, tt.answer)
			c.silence()
		})
	}
	t.Run("RNR, then fetched", func(t *testing.T) {
		t.Parallel()
		c := linked(t, dlmstest.Config{Faults: &dlmstest.Faults{RNROnRequest: 1}})
		c.exchange(get, answer(t, hdlc.ReceiveNotReady(2, true), false, ""))
		c.exchange(frame(t, hdlc.ReceiveReady(1, true), ""), got)
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		c := linked(t, dlmstest.Config{Faults: &dlmstest.Faults{CloseOnRequest: 1}})
		c.send(get)
		c.closed()
		c.counted(func(n dlmstest.Counters) bool { return n.Aborts == 1 })
	})
}

func TestHDLCConnectFaults(t *testing.T) {
	t.Parallel()
	parameters := frame(t, 0x93, "8180 12 050180 060180 070400000001 080400000001")
	tests := []struct {
		name   string
		faults dlmstest.Faults
		dialog func(c *client)
	}{
		{"DM twice", dlmstest.Faults{DMOnSNRM: 2}, func(c *client) {
			c.exchange(snrm, dm)
			c.exchange(snrm, dm)
			c.exchange(snrm, ua)
		}},
		{"ignored once", dlmstest.Faults{IgnoreSNRM: 1}, func(c *client) {
			c.send(snrm)
			c.silence()
			c.exchange(snrm, ua)
		}},
		{"parameters ignored", dlmstest.Faults{IgnoreSNRMParameters: true}, func(c *client) {
			c.send(parameters)
			c.silence()
			c.exchange(disc, dm)
			c.exchange(snrm, ua)
		}},
		{"parameters refused", dlmstest.Faults{DMOnSNRMParameters: true}, func(c *client) {
			c.exchange(parameters, dm)
			c.exchange(snrm, ua)
		}},
		{"always", dlmstest.Faults{DMOnSNRM: -1}, func(c *client) {
			for range 20 {
				c.exchange(snrm, dm)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.dialog(connect(t, dlmstest.Config{Framing: dlmstest.FramingHDLC, BareUA: true, Faults: &tt.faults}))
		})
	}
}

func TestHDLCSeveralMetersOnOneLine(t *testing.T) {
	t.Parallel()
	other := objects()
	other[key(3, energy, 2)] = []byte{0x11, 7}
	c := connect(t, dlmstest.Config{
		Framing: dlmstest.FramingHDLC, BareUA: true,
		PhysicalAddresses: []uint16{17, 18},
		AddressObjects:    map[uint16]dlmstest.Objects{18: other},
	})
	for lower, want := range map[uint16]string{17: gotWh, 18: "C401C1 00 11 07"} {
		to := hdlc.Address{Upper: 1, Lower: lower, Size: 2}
		say := func(control hdlc.Control, info string) hdlc.Frame {
			f := hdlc.Frame{Destination: to, Source: hdlc.ClientAddress(16), Control: control, Info: octets(t, info)}
			b, err := f.Append(nil)
			require.NoError(t, err)
			c.send(hex.EncodeToString(b))
			var got []byte
			for {
				got = append(got, c.read(1, patience)...)
				if f, _, err := hdlc.CutFrame(got); err == nil {
					return f
				}
			}
		}
		say(0x93, "")
		say(0x10, "E6E600"+aarqNone)
		got := say(0x32, "E6E600"+getWh)
		require.Equal(t, octets(t, "E6E700"+want), got.Info)
		require.True(t, got.Source.Same(to))
	}
	require.Equal(t, 2, c.meter.Counters().Associations)
}

// In a bubble the two minutes of inactivity take no time.
func TestHDLCInactivity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := dlmstest.NewMeter(dlmstest.Config{Framing: dlmstest.FramingHDLC, BareUA: true}, objects())
		near, far := net.Pipe()
		c := &client{t: t, conn: near, meter: meter}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- meter.ServeConn(ctx, far) }()
		c.exchange(snrm, ua)
		c.associateHDLC()
		time.Sleep(dlmstest.DefaultHDLCInactivity - time.Second)
		c.exchange(rr1, answer(t, 0x31, false, ""))
		time.Sleep(dlmstest.DefaultHDLCInactivity)
		c.exchange(rr1, dm)
		require.Equal(t, 1, meter.Counters().Aborts)
		cancel()
		require.NoError(t, <-done)
	})
}
