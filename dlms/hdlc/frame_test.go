package hdlc_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// unhex reads hex with blanks.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func client(n uint16) hdlc.Address { return hdlc.ClientAddress(n) }

func server(t testing.TB, logical, physical uint16, size int) hdlc.Address {
	t.Helper()
	a, err := hdlc.ServerAddress(logical, physical, size)
	require.NoError(t, err)
	return a
}

type goldenFrame struct {
	name  string
	wire  string
	frame hdlc.Frame
}

// goldenFrames are published and captured frames.
func goldenFrames(t testing.TB) []goldenFrame {
	return append(goldenLinkFrames(t), append(goldenRequests(t), goldenAnswers(t)...)...)
}

// goldenLinkFrames set up, hold and end a connection.
func goldenLinkFrames(t testing.TB) []goldenFrame {
	ld1 := server(t, 1, 0, 0)
	ld1ph17 := server(t, 1, 17, 2)
	ld1ph17long := server(t, 1, 17, 4)
	snrm := hdlc.Unnumbered(hdlc.SNRM, true)
	ua := hdlc.Unnumbered(hdlc.UA, true)
	return []goldenFrame{
		{
			"SNRM, server address of 4 octets",
			"7E A00A 00020023 F1 93 232E 7E",
			hdlc.Frame{Destination: ld1ph17long, Source: client(120), Control: snrm},
		},
		{
			"SNRM with parameters",
			"7E A021 00020023 21 93 1964 8180 12 050180 060180 070400000001 080400000007 655E 7E",
			hdlc.Frame{
				Destination: ld1ph17long, Source: client(16), Control: snrm,
				Info: hdlc.Parameters{MaxInfoTransmit: 128, MaxInfoReceive: 128, WindowTransmit: 1, WindowReceive: 7}.Append(nil),
			},
		},
		{
			"SNRM, server address of 2 octets",
			"7E A008 0223 21 93 BD64 7E",
			hdlc.Frame{Destination: ld1ph17, Source: client(16), Control: snrm},
		},
		{
			"UA, values of 1 octet",
			"7E A01F 21 0223 73 E6C7 8180 12 05019A 06019A 070400000001 080400000001 CCA2 7E",
			hdlc.Frame{
				Destination: client(16), Source: ld1ph17, Control: ua,
				Info: hdlc.Parameters{MaxInfoTransmit: 154, MaxInfoReceive: 154, WindowTransmit: 1, WindowReceive: 1}.Append(nil),
			},
		},
		{
			"UA, values of 2 octets",
			"7E A023 03 00020023 73 C048 8180 14 05020080 06020080 070400000001 080400000001 CE6A 7E",
			hdlc.Frame{
				Destination: client(1), Source: ld1ph17long, Control: ua,
				Info: hdlc.DefaultParameters().AppendLong(nil),
			},
		},
		{"UA, empty", "7E A007 21 03 73 0140 7E", hdlc.Frame{Destination: client(16), Source: ld1, Control: ua}},
		{"SNRM", "7EA0070321930F017E", hdlc.Frame{Destination: ld1, Source: client(16), Control: snrm}},
		{"DISC", "7EA00703215303C77E", hdlc.Frame{Destination: ld1, Source: client(16), Control: hdlc.Unnumbered(hdlc.DISC, true)}},
		{"DM", "7EA00721031F6BE97E", hdlc.Frame{Destination: client(16), Source: ld1, Control: hdlc.Unnumbered(hdlc.DM, true)}},
		{"RR 1", "7EA00703213117877E", hdlc.Frame{Destination: ld1, Source: client(16), Control: hdlc.ReceiveReady(1, true)}},
		{"RR 2", "7EA00703215111E47E", hdlc.Frame{Destination: ld1, Source: client(16), Control: hdlc.ReceiveReady(2, true)}},
	}
}

// goldenRequests carry an APDU to the meter.
func goldenRequests(t testing.TB) []goldenFrame {
	ld1 := server(t, 1, 0, 0)
	ld1ph17 := server(t, 1, 17, 2)
	ld1ph17long := server(t, 1, 17, 4)
	return []goldenFrame{
		{
			"AARQ in the first I frame",
			"7EA02C 0223 21 10 AF9F E6E600 601D A109060760857405080101 BE10040E 01000000065F1F0400001E1DFFFF C5E4 7E",
			hdlc.Frame{
				Destination: ld1ph17, Source: client(16), Control: hdlc.Information(0, 0, true),
				Info: unhex(t, "E6E600 601D A109060760857405080101 BE10040E 01000000065F1F0400001E1DFFFF"),
			},
		},
		{
			"AARQ with a password",
			"7EA044 0321 10 E684 E6E600 6036 A109060760857405080101 8A020780 8B0760857405080201 AC0A80083132333435363738 BE10040E 01000000065F1F0400007E1F04B0 D0F5 7E",
			hdlc.Frame{
				Destination: ld1, Source: client(16), Control: hdlc.Information(0, 0, true),
				Info: unhex(t, "E6E600 6036 A109060760857405080101 8A020780 8B0760857405080201 AC0A80083132333435363738 BE10040E 01000000065F1F0400007E1F04B0"),
			},
		},
		{
			"GET",
			"7EA019 03 21 32 6FD8 E6E600 C001C1 0001 00002A0000FF 02 00 1280 7E",
			hdlc.Frame{
				Destination: ld1, Source: client(16), Control: hdlc.Information(1, 1, true),
				Info: unhex(t, "E6E600 C001C1 0001 00002A0000FF 02 00"),
			},
		},
		{
			"GET energy",
			"7EA0190321326FD8E6E600 C001C1 0003 0100010800FF 02 00 32687E",
			hdlc.Frame{
				Destination: ld1, Source: client(16), Control: hdlc.Information(1, 1, true),
				Info: unhex(t, "E6E600 C001C1 0003 0100010800FF 02 00"),
			},
		},
		{
			"read request of short names",
			"7EA011032132B73DE6E6000501020100F08A7E",
			hdlc.Frame{
				Destination: ld1, Source: client(16), Control: hdlc.Information(1, 1, true),
				Info: unhex(t, "E6E600 0501020100"),
			},
		},
		{
			"profile range",
			"7EA04F 00020023 03 32 BDE2 E6E600 C001C1 0007 0001620200FF 02 01 01 0204 0204 120008 09060000010000FF 0F02 120000 " +
				"090C 07E1 08 01 07 00 00 00 FF FFC4 00 090C 07E1 0B 01 07 00 00 00 FF FFC4 00 0100 4CD7 7E",
			hdlc.Frame{
				Destination: ld1ph17long, Source: client(1), Control: hdlc.Information(1, 1, true),
				Info: unhex(t, "E6E600 C001C1 0007 0001620200FF 02 01 01 0204 0204 120008 09060000010000FF 0F02 120000 "+
					"090C 07E1 08 01 07 00 00 00 FF FFC4 00 090C 07E1 0B 01 07 00 00 00 FF FFC4 00 0100"),
			},
		},
	}
}

// goldenAnswers carry an APDU from the meter, asked for or not.
func goldenAnswers(t testing.TB) []goldenFrame {
	ld1 := server(t, 1, 0, 0)
	ld1ph17 := server(t, 1, 17, 2)
	return []goldenFrame{
		{
			"AARE in the first answer",
			"7EA038 21 0223 30 34E7 E6E700 6129 A109060760857405080101 A203020100 A305A103020100 BE10040E 0800065F1F0400001E1D04C80007 B86A 7E",
			hdlc.Frame{
				Destination: client(16), Source: ld1ph17, Control: hdlc.Information(0, 1, true),
				Info: unhex(t, "E6E700 6129 A109060760857405080101 A203020100 A305A103020100 BE10040E 0800065F1F0400001E1D04C80007"),
			},
		},
		{
			"answer to GET energy",
			"7EA0152103525D8AE6E700 C401C1 00 06 00A9C3F2 EBBF7E",
			hdlc.Frame{
				Destination: client(16), Source: ld1, Control: hdlc.Information(1, 2, true),
				Info: unhex(t, "E6E700 C401C1 00 06 00A9C3F2"),
			},
		},
		{
			"notification to a client address of 1 octet from an address of 2",
			"7EA027 01 0201 10 5A87 E6E700 0F 40000000 090C 07E503170213 1A3A FF 8000 00 0201 06 00000BF3 5B05 7E",
			hdlc.Frame{
				Destination: client(0), Source: server(t, 1, 0, 2), Control: hdlc.Information(0, 0, true),
				Info: unhex(t, "E6E700 0F 40000000 090C 07E503170213 1A3A FF 8000 00 0201 06 00000BF3"),
			},
		},
		{
			"block in a UI frame, destination of 2 octets, source of 1",
			"7E A017 CEFD 03 13 731D E0 C0 0004 0000 06 120000120000 E447 7E",
			hdlc.Frame{
				Destination: hdlc.Address{Upper: 0x67, Lower: 0x7E, Size: 2}, Source: client(1), Control: hdlc.Unnumbered(hdlc.UI, true),
				Info: unhex(t, "E0 C0 0004 0000 06 120000120000"),
			},
		},
	}
}

func TestGoldenFrames(t *testing.T) {
	t.Parallel()
	for _, tt := range goldenFrames(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, tt.wire)
			got, err := tt.frame.Append(nil)
			require.NoError(t, err)
			require.Equal(t, wire, got)

			f, rest, err := hdlc.CutFrame(wire)
			require.NoError(t, err)
			require.Equal(t, tt.frame, f)
			require.Equal(t, []byte{hdlc.Flag}, rest)

			for n := range wire {
				_, rest, err := hdlc.CutFrame(wire[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "prefix of %d octets", n)
				require.Len(t, rest, n)
			}
			for i := range wire {
				bad := bytes.Clone(wire)
				bad[i] ^= 0x04
				f, _, err := hdlc.CutFrame(bad)
				require.Error(t, err, "octet %d changed: %v", i, f)
			}
		})
	}
}

func TestCutFrameErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		kind hdlc.FrameErrorKind
		rest string
		text string
	}{
		{"noise and nothing else", "00 FF 55", hdlc.FrameNoise, "", "3 octets outside of a frame"},
		{"noise before a flag", "00 FF 7E A0", hdlc.FrameNoise, "7E A0", "2 octets outside of a frame"},
		{"not type 3", "7E 55 A0 07", hdlc.FrameFormat, "55 A0 07", "frame format is not type 3"},
		{"length 0", "7E A0 00 03", hdlc.FrameLength, "A0 00 03", "wrong frame length: 0 octets"},
		{"length 6", "7E A0 06 03 21 93 0F 01 7E", hdlc.FrameLength, "A0 06 03 21 93 0F 01 7E", "wrong frame length: 6 octets"},
		{"length within the header", "7E A0 07 02 23 21 93 BD 64 7E", hdlc.FrameLength, "A0 07 02 23 21 93 BD 64 7E", "wrong frame length: 7 octets"},
		{"length within an address", "7E A0 07 00 02 00 23 00 02 7E", hdlc.FrameLength, "A0 07 00 02 00 23 00 02 7E", "wrong frame length: 7 octets"},
		{"address of 3 octets", "7E A0 0A 02 02 03 21 93 00 00", hdlc.FrameAddress, "A0 0A 02 02 03 21 93 00 00", "wrong address length"},
		{"address of 5 octets", "7E A0 0C 02 02 02 02 03 21 93 00 00", hdlc.FrameAddress, "A0 0C 02 02 02 02 03 21 93 00 00", "wrong address length"},
		{"one octet behind HCS", "7E A0 08 03 21 93 0F 01 00 7E", hdlc.FrameLength, "A0 08 03 21 93 0F 01 00 7E", "wrong frame length: 8 octets"},
		{"FCS without information", "7E A0 07 03 21 93 0F 02 7E", hdlc.FrameFCS, "A0 07 03 21 93 0F 02 7E", "wrong frame check sequence (FCS): 020F received, 010F expected, frame of 7 octets"},
		{"HCS, before the rest has come", "7E A7 FF 03 21 93 0F 01", hdlc.FrameHCS, "A7 FF 03 21 93 0F 01", ""},
		{"FCS with information", "7EA011032132B73DE6E6000501020101F08A7E", hdlc.FrameFCS, "A011032132B73DE6E6000501020101F08A7E", ""},
		{"no flag at the end", "7E A0 07 03 21 93 0F 01 00 7E", hdlc.FrameEnd, "A0 07 03 21 93 0F 01 00 7E", "no flag at the end of the frame: 7 octets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, rest, err := hdlc.CutFrame(unhex(t, tt.in))
			var frameErr *hdlc.FrameError
			require.ErrorAs(t, err, &frameErr)
			require.Equal(t, tt.kind, frameErr.Kind)
			require.Equal(t, hex.EncodeToString(unhex(t, tt.rest)), hex.EncodeToString(rest))
			require.Zero(t, f)
			if tt.text != "" {
				require.EqualError(t, err, tt.text)
			}
		})
	}
}

// cutAll takes all frames from b, whatever is between them.
func cutAll(t testing.TB, b []byte) (frames []hdlc.Frame, rest []byte, errs []*hdlc.FrameError) {
	t.Helper()
	for {
		f, rest, err := hdlc.CutFrame(b)
		var frameErr *hdlc.FrameError
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return frames, rest, errs
		case errors.As(err, &frameErr):
			errs = append(errs, frameErr)
		default:
			require.NoError(t, err)
			frames = append(frames, f)
		}
		if len(rest) >= len(b) {
			require.Fail(t, "no progress")
		}
		b = rest
	}
}

func TestCutFrameStream(t *testing.T) {
	t.Parallel()
	const rr = "A0070321311787" // without flags
	const ua = "A0072103730140"
	tests := []struct {
		name   string
		in     string
		frames int
		errs   []hdlc.FrameErrorKind
		rest   string
	}{
		{"nothing", "", 0, nil, ""},
		{"a flag", "7E", 0, nil, "7E"},
		{"many flags", strings.Repeat("7E", 5000), 0, nil, "7E"},
		{"one frame", "7E" + rr + "7E", 1, nil, "7E"},
		{"shared flag", "7E" + rr + "7E" + ua + "7E", 2, nil, "7E"},
		{"two flags", "7E" + rr + "7E7E" + ua + "7E", 2, nil, "7E"},
		{"seven flags", "7E7E7E7E" + rr + "7E7E7E" + ua + "7E7E", 2, nil, "7E"},
		{"noise around", "0055" + "7E" + rr + "7E" + "A5", 1, []hdlc.FrameErrorKind{hdlc.FrameNoise}, "7EA5"},
		{"noise around, no shared flag", "0055" + "7E" + rr + "7E" + "55", 1, []hdlc.FrameErrorKind{hdlc.FrameNoise, hdlc.FrameFormat, hdlc.FrameNoise}, ""},
		{"noise between", "7E" + rr + "7E" + "00AA" + "7E" + ua + "7E", 2, []hdlc.FrameErrorKind{hdlc.FrameFormat, hdlc.FrameNoise}, "7E"},
		{"false flag that promises 2047 octets", "7EA7FF" + "7E" + rr + "7E" + ua + "7E", 2, []hdlc.FrameErrorKind{hdlc.FrameAddress, hdlc.FrameNoise}, "7E"},
		{"false flag whose frame ends in a true one", "7EA00A" + "7E" + rr + "7E", 1, []hdlc.FrameErrorKind{hdlc.FrameAddress, hdlc.FrameNoise}, "7E"},
		{"torn frame before a whole one", "7EA01F2102" + "7E" + rr + "7E", 1, []hdlc.FrameErrorKind{hdlc.FrameHCS, hdlc.FrameNoise}, "7E"},
		{"frame without its end", "7E" + rr, 0, nil, "7E" + rr},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := unhex(t, tt.in)
			frames, rest, errs := cutAll(t, in)
			require.Len(t, frames, tt.frames)
			var kinds []hdlc.FrameErrorKind
			for _, e := range errs {
				kinds = append(kinds, e.Kind)
			}
			require.Equal(t, tt.errs, kinds)
			require.Equal(t, strings.ToLower(tt.rest), hex.EncodeToString(rest))

			// The same frames come out when the octets come one by one.
			var buf []byte
			n := 0
			for _, c := range in {
				var some []hdlc.Frame
				some, buf, _ = cutAll(t, append(buf, c))
				n += len(some)
			}
			require.Equal(t, tt.frames, n)
		})
	}
}

// Real telegrams with flags inside of the information.
func TestFlagInsideInformation(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{
		"7ea02a410883130413e6e7000f40000000000101020309060100010700ff060000067d02020f00161b1c057e",
		"7ea027010201105a87e6e7000f40000000090c07e4020f06011922ff8000000201060000157eea5e7e",
	} {
		frames, rest, errs := cutAll(t, unhex(t, wire))
		require.Len(t, frames, 1)
		require.Empty(t, errs)
		require.Equal(t, []byte{hdlc.Flag}, rest)
	}
}

func TestEmptyInformationWithTwoChecks(t *testing.T) {
	t.Parallel()
	wire := unhex(t, "7E A009 0321 31")
	wire = append(wire, le16(hdlc.FCS16(wire[1:]))...)
	wire = append(wire, le16(hdlc.FCS16(wire[1:]))...)
	wire = append(wire, hdlc.Flag)
	f, _, err := hdlc.CutFrame(wire)
	require.NoError(t, err)
	require.Nil(t, f.Info)
	require.Equal(t, hdlc.RR, f.Control.Kind())
}

func le16(v uint16) []byte { return []byte{byte(v), byte(v >> 8)} }

func TestFrameLengths(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 4} {
		f := hdlc.Frame{Destination: server(t, 1, min(17, uint16(size-1)*17), size), Source: client(16), Control: hdlc.Information(1, 1, true)}
		header := 2 + size + 1 + 1 + 2 + 2
		for n := 1; n <= hdlc.MaxLength-header; n++ {
			if n > 300 && n < 1990 && n%61 != 0 { // every length around 255 and the limits
				continue
			}
			f.Info = make([]byte, n)
			f.Segmented = n%2 == 0
			b, err := f.Append(nil)
			require.NoError(t, err)
			require.Len(t, b, n+header+2)
			got, rest, err := hdlc.CutFrame(b)
			require.NoError(t, err)
			require.Equal(t, f, got)
			require.Len(t, rest, 1)
		}
		f.Info = make([]byte, hdlc.MaxLength-header+1)
		b, err := f.Append([]byte{1})
		var frameErr *hdlc.FrameError
		require.ErrorAs(t, err, &frameErr)
		require.Equal(t, hdlc.FrameLength, frameErr.Kind)
		require.Equal(t, 2048, frameErr.Length)
		require.Equal(t, []byte{1}, b)
	}
}

func TestAppendRefusesAddresses(t *testing.T) {
	t.Parallel()
	bad := hdlc.Address{Upper: 1, Size: 3}
	_, err := hdlc.Frame{Destination: bad, Source: client(1)}.Append(nil)
	require.EqualError(t, err, "HDLC address of 3 octets: only 1, 2 and 4 are defined")
	_, err = hdlc.Frame{Destination: client(1), Source: client(128)}.Append(nil)
	require.EqualError(t, err, "address 128 does not fit an HDLC address of 1 octets (0 to 127)")
}

func TestFCS16(t *testing.T) {
	t.Parallel()
	require.Equal(t, uint16(0x906E), hdlc.FCS16([]byte("123456789")))
	require.Equal(t, uint16(0xEC5B), hdlc.FCS16([]byte{0x03, 0x3F}))
	require.Equal(t, uint16(0), hdlc.FCS16(nil))

	// Octet by octet, bit by bit: what the tables and the folding abbreviate.
	slow := func(b []byte) uint16 {
		crc := uint16(0xFFFF)
		for _, c := range b {
			crc ^= uint16(c)
			for range 8 {
				if crc&1 != 0 {
					crc = crc>>1 ^ 0x8408
				} else {
					crc >>= 1
				}
			}
		}
		return ^crc
	}
	b := make([]byte, hdlc.MaxLength+1)
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	for n := range b {
		assert.Equal(t, slow(b[:n]), hdlc.FCS16(b[:n]), "%d octets", n)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := hdlc.Frame{Destination: server(t, 1, 17, 4), Source: client(16), Control: hdlc.Information(1, 1, true), Info: make([]byte, 1024)}
	buf := make([]byte, 0, hdlc.MaxFrame)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b, err := f.Append(buf)
		if err != nil {
			t.Error(err)
		}
		if _, _, err := hdlc.CutFrame(b); err != nil {
			t.Error(err)
		}
	}))
}

func BenchmarkFrame(b *testing.B) {
	f := hdlc.Frame{Destination: server(b, 1, 17, 4), Source: client(16), Control: hdlc.Information(1, 1, true), Info: make([]byte, 1024)}
	buf := make([]byte, 0, hdlc.MaxFrame)
	b.ReportAllocs()
	b.SetBytes(1024)
	for b.Loop() {
		wire, err := f.Append(buf)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := hdlc.CutFrame(wire); err != nil {
			b.Fatal(err)
		}
	}
}
