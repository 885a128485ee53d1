package dlmstest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

// inFrames makes valid frames of messages: a length, for HDLC the bit S and a
// control field, and what the frame carries.
func inFrames(input []byte, hdlcFraming bool) (out []byte) {
	for len(input) > 2 {
		n := min(int(input[0])+1, len(input)-1)
		message, segmented := input[2:1+n], input[1]&2 != 0
		input = input[1+n:]
		if !hdlcFraming {
			out, _ = wrapper.Append(out, dlmstest.PublicClient, 1, message)
			continue
		}
		f := hdlc.Frame{Destination: hdlc.Address{Upper: 1, Size: 1}, Source: hdlc.ClientAddress(dlmstest.PublicClient), Segmented: segmented}
		if len(message) > 0 {
			f.Control, f.Info = hdlc.Control(message[0]), message[1:]
		}
		out, _ = f.Append(out)
	}
	return out
}

// FuzzMeter: whatever a client sends, the meter neither panics nor hangs.
func FuzzMeter(f *testing.F) {
	add := func(texts ...string) {
		var all []byte
		for _, s := range texts {
			all = append(all, mustHex(s)...)
		}
		for _, framed := range []bool{false, true} {
			f.Add(false, framed, uint8(7), all)
			f.Add(true, framed, uint8(7), all)
		}
	}
	add(snrm, "7EA0190321326FD8E6E600C001C1000301000108 00FF020032687E", rr1, disc)
	add(snrm, "7EA02B03211082A0E6E600601DA109060760857405080101BE10040E01000000065F1F0400001E1DFFFF14F97E")
	add("7EA0210002002321931964818012050180060180070400000001080400000007655E7E")
	add("00010010000100 1F"+aarqNone, "000100100001000D"+getWh, "000100100001000D"+getBig, "0001001000010007C002C100000001",
		"0001001000010019C003C102 0001 0000800000FF 02 00 0001 0000800100FF 02 00", "00010010000100056203800100")
	add("000100100001000D C101C1 0003 0100010800FF 02 00")

	// In messages with a length before each, which become the contents of frames.
	add("010093", "230010E6E600"+aarqNone, "110032E6E600"+getBig, "010051", "010071", "110054E6E600"+getWh, "010053")
	add("010093", "0A0210E6E600601DA10906", "1A00320760857405080101BE10040E01000000065F1F0400001E1DFFFF")
	add("1F00"+aarqNone, "0D00"+getBig, "0700C002C100000001", "0500C001C10003")

	f.Fuzz(func(t *testing.T, hdlcFraming, framed bool, shape uint8, input []byte) {
		if framed {
			input = inFrames(input, hdlcFraming)
		}
		cfg := dlmstest.Config{Framing: dlmstest.FramingWrapper, MaxPDU: 24 + int(shape), BlockSize: int(shape % 3)}
		if hdlcFraming {
			cfg.Framing, cfg.MaxInfo, cfg.Window, cfg.BareUA = dlmstest.FramingHDLC, 32+int(shape), int(shape%8), shape&1 == 0
		}
		survive(t, dlmstest.NewMeter(cfg, objects()), input)
	})
}

// FuzzSecuredMeter does so with a meter that has keys, and answers to challenges.
func FuzzSecuredMeter(f *testing.F) {
	p := newPeer(f, &client{t: f}, authenticated|encrypted)
	join := func(apdus ...[]byte) (all []byte) {
		for _, apdu := range apdus {
			all, _ = wrapper.Append(all, dlmstest.PublicClient, 1, apdu)
		}
		return all
	}
	f.Add(uint8(0), join(p.aarq(3, 5, p.seal(0x21, plainInitiate)), p.seal(0xCB, reply(p.gmac())),
		p.seal(0xC8, getWh), p.seal(0xDB, getBig), p.seal(0xDB, "C002C1 00000001"), p.seal(0xC8, getCounter)))
	f.Add(uint8(0), join(p.aarq(3, 5, p.seal(0x21, "010110"+bookKey+"0000065F1F0400601E1DFFFF")), p.seal(0xD3, reply(p.gmac()))))
	f.Add(uint8(1), join(p.aarq(1, 5, mustHex(plainInitiate)), mustHex(reply(p.gmac())), mustHex(getWh)))
	f.Add(uint8(2), join(p.aarq(4, 5, p.seal(0x21, "01000000065F1F04001C132004B0")), p.seal(0x25, "0501 04 FA58 00 0911"+p.gmac()), p.seal(0x25, "0501 02 FA08")))
	f.Fuzz(func(t *testing.T, shape uint8, input []byte) {
		cfg := bookConfig(t, gmacClient(t, security.Control(shape<<4&0x30)))
		cfg.ShortNames, cfg.BlockSize = shape&2 != 0, int(shape>>4)
		survive(t, dlmstest.NewMeter(cfg, objects()), input)
	})
}

// survive sends octets to a meter, which must come to an end with them.
func survive(t *testing.T, meter *dlmstest.Meter, input []byte) {
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = meter.ServeConn(ctx, far) // octets that are none of its framing are an error
	}()
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		for buf := make([]byte, 4096); ; {
			if _, err := near.Read(buf); err != nil {
				return
			}
		}
	}()
	_, _ = near.Write(input) // the meter may close on octets that are none of its framing
	_ = near.Close()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		t.Error("the meter does not end")
	}
	<-answers
}
