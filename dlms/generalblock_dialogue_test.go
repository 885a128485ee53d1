package dlms

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const withBlocks = allServices | xdlms.ConformanceGeneralBlockTransfer

// scripted is an association with a window of 4 whose meter plays a script after
// the AARE: lines of what the client says, then what the meter says to it.
func scripted(t *testing.T, script ...string) (*Association, *line) {
	t.Helper()
	next := -1
	l := newLine(func(l *line, message []byte) {
		h, apdu, _, err := wrapper.Cut(message)
		require.NoError(t, err)
		next++
		if next == 0 {
			l.say(0, wrapped(h, aare(withBlocks, 1024)))
			return
		}
		if next > len(script) {
			t.Errorf("beyond the script: %X", apdu)
			return
		}
		client, meter, _ := strings.Cut(script[next-1], ":")
		require.Equal(t, fmt.Sprintf("%X", unhex(t, client)), fmt.Sprintf("%X", apdu), "message %d", next)
		for answer := range strings.SplitSeq(meter, "/") {
			if strings.TrimSpace(answer) != "" {
				l.say(0, wrapped(h, unhex(t, answer)))
			}
		}
	})
	c := dialled(t, l, wrapperConfig)
	a, err := c.Associate(context.Background(), AssociationConfig{GeneralBlocks: 4})
	require.NoError(t, err)
	t.Cleanup(func() { require.Equal(t, len(script), next, "the whole script was played") })
	return a, l
}

// What the client asks for first and second, and the answers: octet-strings.
const (
	getFirst  = "C001C1 0003 0100010801FF 02 00"
	getSecond = "C001C2 0003 0100010801FF 02 00"
)

// TestGeneralBlockDialogues: octet for octet, and what comes between.
func TestGeneralBlockDialogues(t *testing.T) {
	tests := []struct {
		name    string
		script  []string
		want    string
		dropped int
	}{
		{"single block", []string{getFirst + ": E081 0001 0000 08 C401C100 0902 4142"}, "AB", 0},
		{"single block, streaming", []string{getFirst + ": E0C1 0001 0000 08 C401C100 0902 4142"}, "AB", 0},
		{"window of 4", []string{
			getFirst + ": E005 0001 0000 04 C401C100",
			"E084 0001 0001 00: E045 0002 0001 02 0905 / E045 0003 0001 01 41 / E045 0004 0001 01 42 / E005 0005 0001 01 43",
			"E084 0002 0005 00: E045 0006 0002 01 44 / E085 0007 0002 01 45",
		}, "ABCDE", 0},
		{"gap", []string{
			getFirst + ": E005 0001 0000 04 C401C100",
			"E084 0001 0001 00: E045 0002 0001 02 0903 / E045 0004 0001 01 42 / E085 0005 0001 01 43",
			"E081 0002 0002 00: E005 0003 0002 01 41",
			"E084 0003 0003 00: E045 0004 0003 01 42 / E085 0005 0003 01 43",
		}, "ABC", 0},
		{"last block lost", []string{
			getFirst + ": E005 0001 0000 04 C401C100",
			"E084 0001 0001 00: E045 0002 0001 02 0902",
			"E081 0002 0002 00: E005 0003 0002 01 41",
			"E084 0003 0003 00: E085 0004 0003 01 42",
		}, "AB", 0},
		{"an acknowledgement that is not answered", []string{
			getFirst + ": E005 0001 0000 04 C401C100",
			"E084 0001 0001 00:",
			"E081 0002 0001 00: E085 0002 0002 03 0901 41",
		}, "A", 0},
		{"copies", []string{
			getFirst + ": E005 0001 0000 04 C401C100 / E005 0001 0000 04 C401C100",
			"E084 0001 0001 00: E045 0002 0001 02 0902 / E045 0002 0001 02 0902 / E085 0003 0001 02 4142",
		}, "AB", 0},
		{"a push in blocks meanwhile", []string{
			getFirst + ": E005 0001 0000 04 C401C100 / E040 0001 0000 03 0F0000 / E0C0 0002 0000 02 0000",
			"E084 0001 0001 00: E080 0001 0000 05 0F00000000 / E085 0002 0001 03 0901 41",
		}, "A", 3},
		{"the answer to another request", []string{
			getFirst + ": E085 0001 0000 08 C401C000 0902 5858 / E085 0001 0000 07 C401C100 0901 41",
		}, "A", 1},
		{"the answer to another request in blocks", []string{
			getFirst + ": E045 0001 0000 04 C401C000 / E005 0002 0000 02 0901 / C401C100 0901 41",
		}, "A", 1},
		{"an answer that shows only joined whose it is", []string{
			getFirst + ": E045 0001 0000 02 C401 / E085 0002 0000 05 C000 0901 58 / E085 0001 0000 07 C401C100 0901 41",
		}, "A", 1},
		{"the rest of an answer", []string{
			getFirst + ": E045 0007 0000 04 58585858 / E085 0008 0000 04 58585858 / E085 0001 0000 07 C401C100 0901 41",
		}, "A", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, _ := scripted(t, tt.script...)
				d, err := a.Get(context.Background(), register(1, 1), nil)
				require.NoError(t, err)
				text, ok := d.Octets()
				require.True(t, ok)
				require.Equal(t, tt.want, string(text))
				require.Equal(t, tt.dropped, a.c.Stats().Dropped)
			})
		})
	}
}

func TestGeneralBlockRefusals(t *testing.T) {
	tests := []struct {
		name   string
		script []string
		want   string
	}{
		{"silence after a block", []string{
			getFirst + ": E005 0001 0000 04 C401C100", "E084 0001 0001 00:", "E081 0002 0001 00:", "E081 0003 0001 00:", "E081 0004 0001 00:",
		}, "no answer within"},
		{"octets behind a block", []string{getFirst + ": E085 0001 0000 01 C4 00"}, "1 octet behind block 1"},
		{"no block", []string{getFirst + ": E085 0001"}, "E0850001"},
		{"an exception in the middle", []string{getFirst + ": E005 0001 0000 04 C401C100", "E084 0001 0001 00: D80103"}, "exception-response"},
		{"blocks in a block", []string{getFirst + ": E085 0001 0000 09 E085 0001 0000 02 C401"}, "expected a get-response, got general-block-transfer"},
		{"answers without end", []string{getFirst + ":" + strings.Repeat("E085 0001 0000 02 C401 /E045 0001 0000 02 C402 / E085 0002 0000 05 C000 0901 58 /", 20)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, _ := scripted(t, tt.script...)
				_, err := a.Get(context.Background(), register(1, 1), nil)
				require.ErrorContains(t, err, tt.want)
			})
		})
	}
}

// TestGeneralBlockGivenUp: the blocks of an answer that was given up are not
// taken for those of the next one.
func TestGeneralBlockGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := scripted(t, getFirst+":", getSecond+
			": E045 0001 0000 04 C401C100 / E045 0002 0000 02 0902 / E085 0003 0000 02 5858 / E005 0001 0000 04 C401C200",
			"E084 0001 0001 00: E085 0002 0001 03 0901 41")
		_, err := a.Get(context.Background(), register(1, 1), nil)
		var silence *TimeoutError
		require.ErrorAs(t, err, &silence)
		require.NoError(t, a.Lost())
		d, err := a.Get(context.Background(), register(1, 1), nil)
		require.NoError(t, err)
		text, _ := d.Octets()
		require.Equal(t, "A", string(text))
	})
}

// TestGeneralBlockRequests: a list that is too long for a PDU, or for a frame,
// goes out in blocks, though some of them are lost.
func TestGeneralBlockRequests(t *testing.T) {
	tests := []struct {
		name    string
		framing Framing
		meter   dlmstest.Config
		plan    fault.Plan
		retries int
	}{
		{"small PDU", Wrapper, dlmstest.Config{MaxPDU: 64}, fault.Plan{}, 0},
		{"128 octets", HDLC, dlmstest.Config{MaxInfo: 128}, fault.Plan{}, 0},
		{"a block dropped", HDLC, dlmstest.Config{MaxInfo: 128}, fault.Plan{Write: []fault.Fault{{Message: 4, Drop: true}}}, 1},
		{"an acknowledgement dropped", Wrapper, dlmstest.Config{MaxPDU: 64}, fault.Plan{Read: []fault.Fault{{Message: 3, Drop: true}}}, 0},
		{"the answer dropped", Wrapper, dlmstest.Config{MaxPDU: 220}, fault.Plan{Read: []fault.Fault{{Message: 3, Drop: true}}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				meter := tt.meter
				meter.Framing, meter.GeneralBlocks = dlmstest.FramingWrapper, 3
				if tt.framing == HDLC {
					meter.Framing = dlmstest.FramingHDLC
				}
				c, m := metered(t, meter, ConnConfig{Framing: tt.framing, ClientAddress: 16, LogicalAddress: 1}, tt.plan)
				a, err := c.Associate(context.Background(), AssociationConfig{GeneralBlocks: 5})
				require.NoError(t, err)
				ats := registers(20)
				var got []uint64
				r := listReader{a: a, ats: ats, each: func(_ int, d axdr.Data, err error) {
					require.NoError(t, err)
					v, _ := d.Uint64()
					got = append(got, v)
				}}
				require.NoError(t, r.list(context.Background(), ats))
				r.give()
				require.Len(t, got, len(ats))
				for i, at := range ats {
					require.Equal(t, uint64(valueOf(at)), got[i])
				}
				require.Equal(t, 1, m.Counters().Lists)
				require.Equal(t, 20, m.Counters().Items)
				require.Equal(t, tt.retries, c.Stats().Retries)
				require.Zero(t, m.Counters().Segmented)
			})
		})
	}
	// without the bit it is not sent at all
	bubble(t, func(t *testing.T) {
		c, _ := metered(t, dlmstest.Config{MaxPDU: 64}, ConnConfig{Framing: Wrapper, ClientAddress: 16, LogicalAddress: 1}, fault.Plan{})
		a, err := c.Associate(context.Background(), AssociationConfig{GeneralBlocks: 5})
		require.NoError(t, err)
		ats := registers(20)
		require.ErrorContains(t, (&listReader{a: a, ats: ats}).list(context.Background(), ats), "the meter takes PDUs of at most 64")
	})
}

// TestGeneralBlockDatagrams: over UDP any message may be lost, come twice or out
// of order.
func TestGeneralBlockDatagrams(t *testing.T) {
	plans := map[string]fault.Plan{"nothing lost": {}}
	for n := 2; n <= 12; n++ {
		plans[fmt.Sprintf("answer %d lost", n)] = fault.Plan{Read: []fault.Fault{{Message: n, Drop: true}}}
		plans[fmt.Sprintf("request %d lost", n)] = fault.Plan{Write: []fault.Fault{{Message: n, Drop: true}}}
		plans[fmt.Sprintf("answer %d twice", n)] = fault.Plan{Read: []fault.Fault{{Message: n, Duplicate: 1}}}
		plans[fmt.Sprintf("request %d twice", n)] = fault.Plan{Write: []fault.Fault{{Message: n, Duplicate: 1}}}
	}
	plans["all twice"] = fault.Plan{Read: []fault.Fault{{Message: 1, Onward: true, Duplicate: 1}}, Write: []fault.Fault{{Message: 2, Onward: true, Duplicate: 1}}}
	for name, plan := range plans {
		for _, swapped := range []int{0, 2, 3, 4} {
			t.Run(fmt.Sprintf("%s, swapped %d", name, swapped), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					meter := dlmstest.Config{GeneralBlocks: 4, BlockSize: 100, Faults: &dlmstest.Faults{SwapBlock: swapped}}
					c, _ := metered(t, meter, ConnConfig{Framing: Wrapper, Datagram: true, ClientAddress: 16, LogicalAddress: 1}, plan)
					a, err := c.Associate(context.Background(), AssociationConfig{GeneralBlocks: 4})
					require.NoError(t, err)
					readAll(t, a)
				})
			})
		}
	}
}
