package hdlc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

const llc = "\xE6\xE7\x00"

func segment(control hdlc.Control, more bool, info string) hdlc.Frame {
	return hdlc.Frame{Control: control, Segmented: more, Info: []byte(info)}
}

func TestJoiner(t *testing.T) {
	ui := hdlc.Unnumbered(hdlc.UI, true)
	i := func(ns uint8) hdlc.Control { return hdlc.Information(ns, 0, true) }
	for _, c := range []struct {
		name   string
		frames []hdlc.Frame
		want   []string // "" nothing, "!" an error
	}{
		{"alone", []hdlc.Frame{segment(ui, false, llc+"a")}, []string{llc + "a"}},
		{"UI segments", []hdlc.Frame{segment(ui, true, llc+"a"), segment(ui, true, "b"), segment(ui, false, "c")}, []string{"", "", llc + "abc"}},
		{"I segments that are counted", []hdlc.Frame{segment(i(6), true, llc+"a"), segment(i(7), true, "b"), segment(i(0), false, "c")}, []string{"", "", llc + "abc"}},
		{"I segments that are not", []hdlc.Frame{segment(i(0), true, llc+"a"), segment(i(0), true, "b"), segment(i(0), false, "c")}, []string{"", "", llc + "abc"}},
		{"UI, then I", []hdlc.Frame{segment(ui, true, llc+"a"), segment(i(0), true, "b"), segment(i(1), false, "c")}, []string{"", "", llc + "abc"}},
		{"one twice", []hdlc.Frame{segment(i(0), true, llc+"a"), segment(i(0), true, llc+"a"), segment(i(1), false, "c")}, []string{"", "", llc + "ac"}},
		{"one missing", []hdlc.Frame{segment(i(0), true, llc+"a"), segment(i(2), false, "c"), segment(i(3), false, llc+"x")}, []string{"", "!", llc + "x"}},
		{"the last missing", []hdlc.Frame{segment(ui, true, llc+"a"), segment(ui, true, llc+"x"), segment(ui, false, "y")}, []string{"", "", llc + "xy"}},
		{"the last missing, then a whole one", []hdlc.Frame{segment(ui, true, llc+"a"), segment(ui, false, llc+"x")}, []string{"", llc + "x"}},
		{"others between", []hdlc.Frame{segment(ui, true, llc+"a"), segment(hdlc.ReceiveReady(1, true), false, ""), segment(ui, false, "b")}, []string{"", "", llc + "ab"}},
		{"too much", []hdlc.Frame{segment(ui, true, llc+"123456"), segment(ui, false, "12345")}, []string{"", "!"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := hdlc.Joiner{Max: 12}
			for n, f := range c.frames {
				message, err := j.Add(f)
				if c.want[n] == "!" {
					var lost *hdlc.JoinError
					require.ErrorAs(t, err, &lost, "frame %d", n)
					require.NotEmpty(t, err.Error())
					continue
				}
				require.NoError(t, err, "frame %d", n)
				require.Equal(t, c.want[n], string(message), "frame %d", n)
			}
			require.False(t, j.Pending())
			require.False(t, j.Reset())
		})
	}
}
