package dlmstest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// wrapped puts the header of the wrapper before an APDU of client 16.
func wrapped(t testing.TB, apdu string) string {
	t.Helper()
	return fmt.Sprintf("0001 0010 0001 %04X %s", len(octets(t, apdu)), apdu)
}

// apdu reads one APDU of an answer.
func (c *client) apdu() string {
	c.t.Helper()
	header := c.read(8, patience)
	require.Len(c.t, header, 8)
	require.Equal(c.t, "000100010010", hex.EncodeToString(header[:6]))
	return hex.EncodeToString(c.read(int(binary.BigEndian.Uint16(header[6:])), patience))
}

// ask sends an APDU and expects another, or none if that is empty.
func (c *client) ask(request, want string) {
	c.t.Helper()
	c.send(wrapped(c.t, request))
	if want == "" {
		c.silence()
		return
	}
	require.Equal(c.t, hex.EncodeToString(octets(c.t, want)), c.apdu())
}

const (
	aareHead = "A109060760857405080101"
	aareNone = "6129" + aareHead + "A203020100 A305A103020100 BE10040E 0800065F1F04 000012140800 0007"
)

// open is a client with an association over the wrapper.
func open(t *testing.T, cfg dlmstest.Config) *client {
	t.Helper()
	cfg.Framing = dlmstest.FramingWrapper
	c := connect(t, cfg)
	c.send(wrapped(t, aarqNone))
	require.Equal(t, "61", c.apdu()[:2])
	return c
}

func TestWrapperGolden(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{})
	c.exchange("0001 0010 0001 000D C001C100080000010000FF0200", "0001 0001 0010 0003 D80102") // no association
	c.ask(aarqNone, aareNone)
	c.ask(getWh, gotWh)
	c.ask("C001C1 0003 0100020800FF 02 00", "C401C1 01 04") // object-undefined
	c.ask("6203800100", "6303800100")
	c.ask("6200", "6303800100")
	c.ask(getWh, "D80102")
	require.Equal(t, dlmstest.Counters{
		Connections: 1, Associations: 1, Gets: 2, Items: 2, Requests: 7, Releases: 1,
	}, c.meter.Counters())
}

func TestWrapperStream(t *testing.T) {
	t.Parallel()
	c := open(t, dlmstest.Config{})
	// Several APDUs in one segment, then one octet by octet.
	c.send(wrapped(t, getWh) + wrapped(t, getWh))
	require.Equal(t, c.apdu(), c.apdu())
	for _, b := range octets(t, wrapped(t, getWh)) {
		c.send(hex.EncodeToString([]byte{b}))
	}
	require.Equal(t, hex.EncodeToString(octets(t, gotWh)), c.apdu())
	c.send("0001 0010 0002 0001 62") // another logical device
	c.silence()
	c.send("0001 0010 0001 0000") // an empty APDU
	c.silence()
	c.send("7EA0070321930F017E") // HDLC
	c.closed()
	c.counted(func(n dlmstest.Counters) bool { return n.BadFrames == 1 && n.Foreign == 1 && n.Aborts == 1 })
}

func TestAssociation(t *testing.T) {
	t.Parallel()
	const (
		golden10 = "6036 A109060760857405080101 8A020780 8B0760857405080201 AC0A80083132333435363738 BE10040E 01000000065F1F0400007E1F04B0"
		initiate = "BE10040E 01000000065F1F0400001E1DFFFF"
	)
	refused := func(code string) string { return "6117" + aareHead + "A203020101 A305A1030201" + code }
	failed := func(code string) string {
		return "611F" + aareHead + "A203020101 A305A103020101 BE060404 0E0106" + code
	}
	low := map[uint16]dlmstest.Client{16: {Mechanism: acse.Low, Password: []byte("12345678")}}
	tests := []struct {
		name    string
		clients map[uint16]dlmstest.Client
		aarq    string
		want    string
	}{
		{"none", nil, aarqNone, aareNone},
		{"low", low, golden10, aareNone},
		{"wrong password", map[uint16]dlmstest.Client{16: {Mechanism: acse.Low, Password: []byte("12345679")}}, golden10, refused("0D")},
		{"mechanism missing", low, aarqNone, refused("0C")},
		{"a password nobody wants", nil, golden10, refused("0B")},
		{"unknown client", map[uint16]dlmstest.Client{1: {}}, aarqNone, refused("01")},
		{"short names", nil, "601D A109060760857405080102" + initiate, refused("02")},
		{"high level", low, "6036 A109060760857405080101 8A020780 8B0760857405080205 AC0A80083132333435363738" + initiate, refused("0B")},
		{"version 5", nil, "601D A109060760857405080101 BE10040E 01000000055F1F0400001E1DFFFF", failed("01")},
		{"no GET proposed", nil, "601D A109060760857405080101 BE10040E 01000000065F1F0400001E0DFFFF", failed("02")},
		{"PDU too short", nil, "601D A109060760857405080101 BE10040E 01000000065F1F0400001E1D000B", failed("03")},
		{"no initiate", nil, "600B A109060760857405080101", failed("00")},
		{"no AARQ", nil, "6005 A109060760", "6117" + aareHead + "A203020101 A305A203020101"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, dlmstest.Config{Clients: tt.clients})
			want := tt.want
			if want == aareNone && tt.aarq == golden10 {
				want = "6129" + aareHead + "A203020100 A305A103020100 BE10040E 0800065F1F04 000052140800 0007"
			}
			c.ask(tt.aarq, want)
			accepted := tt.want == aareNone
			require.Equal(t, accepted, c.meter.Counters().Associations == 1)
			require.Equal(t, !accepted, c.meter.Counters().Rejections == 1)
			if accepted {
				c.ask(getWh, gotWh)
			} else {
				c.ask(getWh, "D80102")
			}
		})
	}
}

func TestAssociationAgain(t *testing.T) {
	t.Parallel()
	c := open(t, dlmstest.Config{})
	c.ask(aarqNone, aareNone)
	c.ask(getWh, gotWh)
	require.Equal(t, 1, c.meter.Counters().Aborts)
}

func TestOrderedRejection(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Faults: &dlmstest.Faults{
		RejectAssociation: 1, RejectDiagnostic: acse.Diagnostic{Source: acse.ServiceProvider, Code: 2},
	}})
	c.ask(aarqNone, "6117"+aareHead+"A203020101 A305A203020102")
	c.ask(aarqNone, aareNone)
}

// The worked example of a list, and the one of blocks with PDUs of 40 octets.
func TestGetGolden(t *testing.T) {
	t.Parallel()
	const fifty = "0102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950"
	list := "C003C1 02 0001 0000800000FF 02 00 0001 0000800100FF 02 00"
	c := open(t, dlmstest.Config{})
	c.ask(list, "C403C1 02 00 0932"+fifty+"00 0A03 303030")

	c = open(t, dlmstest.Config{MaxPDU: 40})
	c.ask("C00181 0001 0000800000FF 02 00", "C40281 00 00000001 00 1E 0932"+fifty[:56])
	c.ask("C00281 00000001", "C40281 01 00000002 00 16"+fifty[56:])
	c.ask("C00281 00000002", "C40281 01 00000002 01 13") // there is no third: data-block-number-invalid
	// The joined blocks of a list begin with its count.
	c.ask(list, "C402C1 00 00000001 00 1E 02 00 0932"+fifty[:52])
	c.ask("C002C1 00000001", "C402C1 01 00000002 00 1E"+fifty[52:]+"00 0A03 303030")
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	const fifty = "0102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950"
	get := "C001C1 0001 0000800000FF 02 00"
	blocks := []string{
		"C402C1 00 00000001 00 14 0932" + fifty[:36],
		"C402C1 00 00000002 00 14" + fifty[36:76],
		"C402C1 01 00000003 00 0C" + fifty[76:],
	}
	tests := []struct {
		name   string
		dialog func(c *client)
	}{
		{"complete", func(c *client) {
			c.ask(get, blocks[0])
			c.ask("C002C1 00000001", blocks[1])
			c.ask("C002C1 00000002", blocks[2])
		}},
		{"the same one again", func(c *client) {
			c.ask(get, blocks[0])
			c.ask("C002C1 00000001", blocks[1])
			c.ask("C002C1 00000001", blocks[1])
			c.ask("C002C1 00000002", blocks[2])
			c.ask("C002C1 00000002", blocks[2])
		}},
		{"another invoke-id", func(c *client) {
			c.ask(get, blocks[0])
			c.ask("C002C2 00000001", "C402C2 01 00000001 01 0F")
			c.ask("C002C1 00000001", "C402C1 01 00000001 01 10")
		}},
		{"none in progress", func(c *client) { c.ask("C002C1 00000001", "C402C1 01 00000001 01 10") }},
		{"ended by another GET", func(c *client) {
			c.ask(get, blocks[0])
			c.ask(getWh, gotWh)
			c.ask("C002C1 00000001", "C402C1 01 00000001 01 10")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.dialog(open(t, dlmstest.Config{BlockSize: 20}))
		})
	}
}

// Blocks fill the PDU up to its last octet, whatever the length of a length.
func TestBlocksFitThePDU(t *testing.T) {
	t.Parallel()
	for _, size := range []int{12, 24, 100, 136, 137, 138, 139, 140, 141, 265, 266, 267, 268, 269, 270, 300, 599, 2048} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			c := connect(t, dlmstest.Config{})
			c.send(wrapped(t, fmt.Sprintf("601D A109060760857405080101 BE10040E 01000000065F1F0400001E1D%04X", size)))
			c.apdu()
			c.send(wrapped(t, getBig))
			var joined []byte
			for block := 1; ; block++ {
				b, err := hex.DecodeString(c.apdu())
				require.NoError(t, err)
				require.LessOrEqual(t, len(b), size)
				r, err := xdlms.ParseGetResponse(b)
				require.NoError(t, err)
				if r.Type == xdlms.GetNormal {
					require.Greater(t, size, 600)
					joined = r.Data
					break
				}
				require.Equal(t, uint32(block), r.Block)
				require.True(t, r.Last || len(b) >= size-1, "block of %d octets", len(b))
				joined = append(joined, r.Raw...)
				if r.Last {
					break
				}
				c.send(wrapped(t, fmt.Sprintf("C002C1 %08X", block)))
			}
			require.Equal(t, append([]byte{9, 0x82, 2, 0x58}, make([]byte, 600)...), joined)
		})
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	list := "C003C1 02 0003 0100010800FF 02 00 0003 0100010800FF 03 00"
	tests := []struct {
		name, request, want string
		cfg                 dlmstest.Config
	}{
		{"SET", "C101C1 0003 0100010800FF 02 00 0600000000", "D80102", dlmstest.Config{}},
		{"ACTION", "C301C1 0008 0000010000FF 01 00", "D80102", dlmstest.Config{}},
		{"unknown tag", "F0 00", "D80202", dlmstest.Config{}},
		{"broken GET", "C001C1 0003", "D80103", dlmstest.Config{}},
		{"GET beyond the PDU", "C001C1 0003 0100010800FF 02 01 02 0920" + fmt.Sprintf("%064d", 0), "D80104", dlmstest.Config{MaxPDU: 40}},
		{"list", list, "C403C1 02 00 06 00A9C3F2 00 02020FFF161E", dlmstest.Config{}},
		{"list with an error", "C003C1 02 0003 0100010800FF 04 00 0003 0100010800FF 02 00", "C403C1 02 01 04 00 06 00A9C3F2", dlmstest.Config{}},
		{"no lists", list, "D80102", dlmstest.Config{NoLists: true}},
		{"lists granted, and refused", list, "D80102", dlmstest.Config{NoLists: true, Conformance: dlmstest.DefaultConformance}},
		{"list too long", list, "D80101", dlmstest.Config{ListMax: 1}},
		{"list short enough", list, "C403C1 02 00 06 00A9C3F2 00 02020FFF161E", dlmstest.Config{ListMax: 2}},
		{"selective access", "C001C1 0003 0100010800FF 02 01 02 00", "C401C1 00 11 02", dlmstest.Config{}},
		{"selective access not granted", "C001C1 0003 0100010800FF 02 01 02 00", gotWh, dlmstest.Config{Conformance: xdlms.ConformanceGet}},
		{"blocks not granted", getBig, "D80104", dlmstest.Config{MaxPDU: 100, Conformance: xdlms.ConformanceGet}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			open(t, tt.cfg).ask(tt.request, tt.want)
		})
	}
}

func TestWrapperFaults(t *testing.T) {
	t.Parallel()
	list := "C003C1 02 0003 0100010800FF 02 00 0003 0100010800FF 03 00"
	const header = "0001000100100009"
	tests := []struct {
		name, request, want string // octets of the answer, its header included
		faults              dlmstest.Faults
	}{
		{"twice", getWh, header + gotWh + header + gotWh, dlmstest.Faults{RepeatAnswers: 1}},
		{"stale", getWh, header + "C401C0 00 06 00A9C3F2" + header + gotWh, dlmstest.Faults{StaleAnswers: 1}},
		{"another invoke-id", getWh, header + "C401C2 00 06 00A9C3F2", dlmstest.Faults{WrongInvokeID: 1}},
		{"truncated", getWh, "0001000100100009", dlmstest.Faults{TruncateFrames: 1}},
		{"noise", getWh, "55AA" + header + gotWh, dlmstest.Faults{Noise: []byte{0x55, 0xaa}}},
		{"long count", list, "0001000100100011 C403C1 03 00 06 00A9C3F2 00 02020FFF161E", dlmstest.Faults{LongCount: 1}},
		{"short list", list, "000100010010000A C403C1 01 00 06 00A9C3F2", dlmstest.Faults{ShortLists: 1}},
		{"single form", list, "0001000100100005 C401C1 01 FA", dlmstest.Faults{SingleForm: 1}},
		{"long value", getWh, "000100010010000B C401C1 00 09 827FFF 000102", dlmstest.Faults{LongValue: 1}},
		{"nested", getWh, "000100010010000B C401C1 00 0101 0101 0101 00", dlmstest.Faults{NestedArrays: 3}},
		{"temporary failure", getWh, "0001000100100005 C401C1 01 02", dlmstest.Faults{TemporaryErrors: 1}},
		{"lost", getWh, "", dlmstest.Faults{LoseAnswers: 1}},
		{"ignored", getWh, "", dlmstest.Faults{IgnoreRequests: 1}},
		{"raw", getWh, "0001000100100003 D80103", dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
			return []byte{0xd8, 1, 3}, bytes.HasPrefix(apdu, []byte{0xc0})
		}}},
		{"raw silence", getWh, "", dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
			return nil, bytes.HasPrefix(apdu, []byte{0xc0})
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, dlmstest.Config{Faults: &tt.faults})
			c.exchange(wrapped(t, tt.request), tt.want)
			c.silence()
		})
	}
}

func TestWPortFaults(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Faults: &dlmstest.Faults{SameWPorts: true}})
	c.exchange(wrapped(t, aarqNone), "000100100001002B"+aareNone)
	c = connect(t, dlmstest.Config{Faults: &dlmstest.Faults{ZeroWPorts: true}})
	c.exchange(wrapped(t, aarqNone), "000100000000002B"+aareNone)
}

func TestBlockFaults(t *testing.T) {
	t.Parallel()
	get := "C001C1 0003 0100010800FF 02 00"
	tests := []struct {
		name    string
		faults  dlmstest.Faults
		answers []string // to GET, then to next with the numbers from first on
		first   uint32
	}{
		{"wrong number", dlmstest.Faults{WrongBlock: 1}, []string{"C402C1 00 00000008 00 02 0600", "C402C1 00 00000002 00 02 A9C3"}, 1},
		{"counted from 0", dlmstest.Faults{FirstBlockZero: true}, []string{"C402C1 00 00000000 00 02 0600", "C402C1 00 00000001 00 02 A9C3", "C402C1 01 00000002 00 01 F2"}, 0},
		{"empty ones", dlmstest.Faults{EmptyBlocks: 2}, []string{"C402C1 00 00000001 00 00", "C402C1 00 00000002 00 00", "C402C1 00 00000003 00 02 0600"}, 1},
		{"endless", dlmstest.Faults{EndlessBlocks: true}, []string{"C402C1 00 00000001 00 02 0184", "C402C1 00 00000002 00 02 0000", "C402C1 00 00000003 00 02 0000"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, dlmstest.Config{BlockSize: 2, Faults: &tt.faults})
			c.ask(get, tt.answers[0])
			for i, want := range tt.answers[1:] {
				c.ask(fmt.Sprintf("C002C1 %08X", tt.first+uint32(i)), want)
			}
		})
	}
	t.Run("endless from the start", func(t *testing.T) {
		t.Parallel()
		c := open(t, dlmstest.Config{MaxPDU: 24, Faults: &dlmstest.Faults{EndlessBlocks: true}})
		c.ask(get, "C402C1 00 00000001 00 0E 01847FFFFFFF 0000000000000000")
		for i := range 1000 {
			c.ask(fmt.Sprintf("C002C1 %08X", i+1), fmt.Sprintf("C402C1 00 %08X 00 0E %028d", i+2, 0))
		}
	})
}
