package xdlms

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is a block of a meter with window 5.
func said(control uint8, number, ack uint16, data string) GeneralBlock {
	return GeneralBlock{Last: control&blockLast != 0, Streaming: control&blockStreaming != 0, Window: 5, Number: number, Ack: ack, Data: []byte(data)}
}

func transfer(window uint8) *BlockTransfer {
	t := &BlockTransfer{Window: window, Max: 1000, MaxBlocks: 100, Retries: 2}
	t.Reset()
	return t
}

const (
	l, s = blockLast, blockStreaming
)

// blockStep is a block of the meter, and what is to come of it.
type blockStep struct {
	g    GeneralBlock
	want BlockStep
	send string // what Append gives then, if it is our turn
}

var blockScripts = []struct {
	name   string
	window uint8
	steps  []blockStep
	joined string
}{
	{"single block", 4, []blockStep{{said(l, 1, 0, "ab"), BlockDone, ""}}, "ab"},
	{"single block, streaming", 4, []blockStep{{said(l|s, 1, 0, "ab"), BlockDone, ""}}, "ab"},
	{"window of 1", 1, []blockStep{
		{said(0, 1, 0, "ab"), BlockTurn, "E0 81 0001 0001 00"},
		{said(0, 2, 1, "cd"), BlockTurn, "E0 81 0002 0002 00"},
		{said(l, 3, 2, "e"), BlockDone, ""},
	}, "abcde"},
	{"window of 4", 4, []blockStep{
		{said(0, 1, 0, "a"), BlockTurn, "E0 84 0001 0001 00"},
		{said(s, 2, 1, "b"), BlockWait, ""},
		{said(s, 3, 1, "c"), BlockWait, ""},
		{said(s, 4, 1, "d"), BlockWait, ""},
		{said(0, 5, 1, "e"), BlockTurn, "E0 84 0002 0005 00"},
		{said(s, 6, 2, "f"), BlockWait, ""},
		{said(l, 7, 2, "g"), BlockDone, ""},
	}, "abcdefg"},
	{"a window that the meter does not end", 2, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(s, 2, 0, "b"), BlockTurn, "E0 82 0001 0002 00"},
		{said(s, 3, 0, "c"), BlockWait, ""},
		{said(s, 4, 0, "d"), BlockTurn, "E0 82 0002 0004 00"},
		{said(l, 5, 0, ""), BlockDone, ""},
	}, "abcd"},
	{"gap", 4, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(s, 3, 0, "c"), BlockWait, ""},
		{said(0, 4, 0, "d"), BlockTurn, "E0 81 0001 0001 00"},
		{said(0, 2, 1, "b"), BlockTurn, "E0 84 0002 0002 00"},
		{said(s, 3, 2, "c"), BlockWait, ""},
		{said(s, 4, 2, "d"), BlockWait, ""},
		{said(l, 5, 2, "e"), BlockDone, ""},
	}, "abcde"},
	{"gap before the last block", 4, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(l, 3, 0, "c"), BlockTurn, "E0 81 0001 0001 00"},
		{said(0, 2, 1, "b"), BlockTurn, "E0 84 0002 0002 00"},
		{said(l, 3, 2, "c"), BlockDone, ""},
	}, "abc"},
	{"copies", 4, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(0, 2, 0, "b"), BlockTurn, "E0 84 0001 0002 00"},
		{said(0, 2, 0, "b"), BlockWait, ""}, // answered already
		{said(l, 3, 1, "c"), BlockDone, ""},
	}, "abc"},
	{"swapped", 4, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(s, 3, 0, "c"), BlockWait, ""},
		{said(s, 2, 0, "b"), BlockWait, ""},
		{said(0, 4, 0, "d"), BlockTurn, "E0 81 0001 0002 00"},
		{said(0, 3, 1, "c"), BlockTurn, "E0 84 0002 0003 00"},
		{said(l, 4, 2, "d"), BlockDone, ""},
	}, "abcd"},
	{"swapped with the end of the window", 4, []blockStep{
		{said(s, 1, 0, "a"), BlockWait, ""},
		{said(0, 3, 0, "c"), BlockTurn, "E0 81 0001 0001 00"},
		{said(s, 2, 0, "b"), BlockTurn, "E0 84 0002 0002 00"},
		{said(0, 2, 1, "b"), BlockWait, ""},
		{said(l, 3, 2, "c"), BlockDone, ""},
	}, "abc"},
	{"another answer", 4, []blockStep{
		{said(0, 1, 0, "xx"), BlockTurn, "E0 84 0001 0001 00"},
		{said(s, 2, 1, "yy"), BlockWait, ""},
		{said(0, 1, 0, "a"), BlockTurn, "E0 84 0001 0001 00"},
		{said(l, 2, 1, "b"), BlockDone, ""},
	}, "ab"},
	{"pushed meanwhile", 4, []blockStep{
		{said(0, 1, 0, "a"), BlockTurn, "E0 84 0001 0001 00"},
		{GeneralBlock{Number: 1, Data: []byte("push")}, BlockWait, ""},
		{GeneralBlock{Last: true, Number: 2, Data: []byte("push")}, BlockWait, ""},
		{said(l, 2, 1, "b"), BlockDone, ""},
	}, "ab"},
	{"the rest of an answer given up", 4, []blockStep{
		{said(s, 6, 3, "x"), BlockWait, ""},
		{said(0, 7, 3, "x"), BlockWait, ""},
		{said(l, 1, 0, "a"), BlockDone, ""},
	}, "a"},
	{"number 0", 4, []blockStep{{said(l, 0, 0, "x"), BlockWait, ""}, {said(l, 1, 0, "a"), BlockDone, ""}}, "a"},
}

func TestBlockTransferReceives(t *testing.T) {
	for _, tt := range blockScripts {
		t.Run(tt.name, func(t *testing.T) {
			x := transfer(tt.window)
			for i, step := range tt.steps {
				got, err := x.Receive(step.g)
				require.NoError(t, err, i)
				require.Equal(t, step.want, got, i)
				if got == BlockTurn {
					require.Equal(t, octets(t, step.send), x.Append(nil), i)
				}
			}
			require.Equal(t, tt.joined, string(x.Joined()))
		})
	}
}

// TestBlockTransferSilence: what is missing is asked for, but not for ever.
func TestBlockTransferSilence(t *testing.T) {
	x := transfer(4)
	require.False(t, x.Begun())
	for i, g := range []GeneralBlock{said(s, 1, 0, "a"), said(s, 2, 0, "b")} {
		step, err := x.Receive(g)
		require.NoError(t, err)
		require.Equal(t, BlockWait, step, i)
	}
	require.True(t, x.Begun())
	for n := range 3 {
		require.True(t, x.Silence())
		want := GeneralBlock{Last: true, Window: 1, Number: uint16(n) + 1, Ack: 2}
		require.Equal(t, want.Append(nil), x.Append(nil))
	}
	step, err := x.Receive(said(0, 3, 3, "c"))
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 84 0004 0003 00"), x.Append(nil))
	for range 3 {
		require.True(t, x.Silence())
		x.Append(nil)
	}
	require.False(t, x.Silence())

	// the first block is lost
	x = transfer(4)
	step, err = x.Receive(said(0, 2, 0, "b"))
	require.NoError(t, err)
	require.Equal(t, BlockWait, step)
	require.True(t, x.Silence())
	require.Equal(t, octets(t, "E0 81 0001 0000 00"), x.Append(nil))
}

func TestBlockTransferSends(t *testing.T) {
	x := transfer(4)
	require.NoError(t, x.Begin([]byte("abcdefgh"), 12)) // 3 octets of data
	require.Equal(t, octets(t, "E0 04 0001 0000 03 616263"), x.Append(nil))
	step, err := x.Receive(said(0, 1, 1, ""))
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 04 0002 0001 03 646566"), x.Append(nil))
	step, err = x.Receive(said(l, 2, 1, "")) // not received: again
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 04 0002 0002 03 646566"), x.Append(nil))
	require.True(t, x.Silence())
	require.Equal(t, octets(t, "E0 01 0002 0002 03 646566"), x.Append(nil))
	step, err = x.Receive(said(0, 3, 2, ""))
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 84 0003 0003 02 6768"), x.Append(nil))
	step, err = x.Receive(said(0, 4, 3, "AB"))
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 84 0004 0004 00"), x.Append(nil))
	step, err = x.Receive(said(l, 5, 4, "CD"))
	require.NoError(t, err)
	require.Equal(t, BlockDone, step)
	require.Equal(t, "ABCD", string(x.Joined()))

	// a meter that numbers its answer from 1, and does not tell what it has
	require.NoError(t, x.Begin([]byte("abcd"), 12))
	x.Append(nil)
	_, err = x.Receive(said(0, 1, 1, ""))
	require.NoError(t, err)
	x.Append(nil)
	step, err = x.Receive(said(l, 1, 0, "AB"))
	require.NoError(t, err)
	require.Equal(t, BlockDone, step)
	require.Equal(t, "AB", string(x.Joined()))

	// an acknowledgement that is lost leaves no gap
	require.NoError(t, x.Begin([]byte("abcd"), 12))
	x.Append(nil)
	require.True(t, x.Silence())
	x.Append(nil)
	step, err = x.Receive(said(0, 2, 1, ""))
	require.NoError(t, err)
	require.Equal(t, BlockTurn, step)
	require.Equal(t, octets(t, "E0 84 0002 0002 01 64"), x.Append(nil))
	step, err = x.Receive(said(l, 3, 2, "AB"))
	require.NoError(t, err)
	require.Equal(t, BlockDone, step)

	require.Error(t, x.Begin([]byte("a"), 9))
	require.Error(t, x.Begin(make([]byte, math.MaxUint16+1), 10))
	require.Error(t, x.Begin(nil, 100))
}

func TestBlockTransferLimits(t *testing.T) {
	feed := func(x *BlockTransfer, n int, g func(i int) GeneralBlock) error {
		for i := range n {
			step, err := x.Receive(g(i))
			if err != nil {
				return err
			}
			if step == BlockTurn {
				x.Append(nil)
			}
		}
		return nil
	}
	tests := []struct {
		name string
		n    int
		g    func(i int) GeneralBlock
		want string
	}{
		{"octets", 11, func(i int) GeneralBlock { return said(0, uint16(i+1), 0, string(make([]byte, 100))) }, "more than 1000 octets"},
		{"blocks", 101, func(i int) GeneralBlock { return said(s, uint16(i+1), 0, "a") }, "more than 100 blocks"},
		{"blocks without data", 101, func(i int) GeneralBlock { return said(s, uint16(i+1), 0, "") }, "does not come"},
		{"the same for ever", 300, func(int) GeneralBlock { return said(s, 1, 0, "a") }, "256 blocks in a row brought nothing"},
		{"none is the first", 300, func(i int) GeneralBlock { return said(0, 2, 0, "a") }, "256 blocks in a row brought nothing"},
		{"the first for ever", 100, func(i int) GeneralBlock { return said(s, 1, 0, string(rune('a'+i))) }, "none was ended"},
		{"empty answers", 10, func(i int) GeneralBlock { return said(l, uint16(i+1), 0, "") }, "does not come"},
		{"contradiction", 3, func(i int) GeneralBlock { return said(s, []uint16{1, 2, 2}[i], 0, []string{"a", "b", "c"}[i]) }, "came twice, with different contents"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorContains(t, feed(transfer(4), tt.n, tt.g), tt.want)
		})
	}
	x := transfer(63)
	x.MaxBlocks, x.Max = math.MaxInt32, math.MaxInt32
	require.ErrorContains(t, feed(x, math.MaxUint16, func(i int) GeneralBlock { return said(0, uint16(i+1), 0, "a") }), "more than 65534 blocks")
}

// FuzzBlockTransfer: whatever blocks come, what is joined is the data of blocks
// 1, 2, 3... and within its limits, and it comes to an end.
func FuzzBlockTransfer(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte{0x44, 1, 1, 0x44, 2, 2, 0x04, 3, 3, 0x84, 4, 4}, false)
	f.Add([]byte{0x44, 1, 1, 0x04, 3, 3, 0xFF, 0, 0, 0x04, 2, 1, 0x84, 3, 1}, true)
	f.Add([]byte{0x04, 1, 0, 0x04, 2, 0, 0x84, 3, 9}, true)
	f.Fuzz(func(t *testing.T, script []byte, sends bool) {
		x := &BlockTransfer{Window: 4, Max: 64, MaxBlocks: 20, Retries: 2}
		x.Reset()
		request := bytes.Repeat([]byte{1}, 10)
		if sends {
			require.NoError(t, x.Begin(request, 12))
			x.Append(nil)
		}
		var data [256][]byte // of the blocks, as they came last
		empties := 0
		for ; len(script) >= 3; script = script[3:] {
			control, number, size := script[0], script[1], int(script[2]%16)
			if control == 0xFF {
				if !x.Silence() {
					return
				}
				x.Append(nil)
				continue
			}
			g := GeneralBlock{
				Last: control&blockLast != 0, Streaming: control&blockStreaming != 0, Window: control & blockWindow,
				Number: uint16(number), Ack: uint16(size), Data: bytes.Repeat([]byte{script[2]}, size),
			}
			before := len(x.ends)
			step, err := x.Receive(g)
			if err != nil {
				return
			}
			if len(x.ends) != before || number == 1 && g.Window > 0 {
				data[number] = g.Data
			}
			for n := before + 1; n < len(x.ends); n++ {
				data[n] = nil // acknowledgements that were passed over
			}
			require.LessOrEqual(t, len(x.Joined()), 64)
			require.LessOrEqual(t, len(x.ends), 20)
			var want []byte
			for n := range x.ends {
				want = append(want, data[n+1]...)
			}
			require.Equal(t, string(want), string(x.Joined()))
			switch step {
			case BlockDone:
				require.True(t, g.Last)
				require.Len(t, x.ends, int(number))
				require.NotEmpty(t, x.Joined())
				return
			case BlockTurn:
				out, rest, err := CutGeneralBlock(x.Append(nil))
				require.NoError(t, err)
				require.Empty(t, rest)
				require.Equal(t, len(x.ends), int(out.Ack))
				require.Contains(t, []uint8{1, 4}, out.Window)
				require.False(t, out.Streaming)
				if empties++; len(x.ends) != before {
					empties = 0
				}
				require.LessOrEqual(t, empties, 16, "turns without a block")
			default:
			}
		}
	})
}
