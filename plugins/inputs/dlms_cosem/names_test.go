package dlms_cosem

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// shortMeter is a meter with short names that counts how often its object list
// was read.
func shortMeter(framing string, o dlmstest.Objects, lists *atomic.Int32) *dlmstest.Meter {
	return dlmstest.NewMeter(dlmstest.Config{Framing: framing, ShortNames: true, Faults: &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
		if bytes.Equal(apdu, []byte{0x05, 0x01, 0x02, 0xFA, 0x08}) {
			lists.Add(1)
		}
		return nil, false
	}}}, o)
}

const shortTop = hdlcTop + "\nreferencing = \"sn\""

// TestShortNamesSteady: the object list is read once; then a poll is one round
// trip.
func TestShortNamesSteady(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		t.Run(framing, func(t *testing.T) {
			bubble(t, registersConf(strings.Replace(shortTop, "hdlc", framing, 1), everyTen, 20), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
				var lists atomic.Int32
				o := newChanging("METER1", -1)
				n.set("", &host{meter: shortMeter(framing, o, &lists)})
				require.NoError(t, d.Start(acc))
				later(205 * time.Second)
				require.Equal(t, 21*20, requireTrue(t, acc))
				require.Empty(t, acc.errors())
				require.Empty(t, j.at("W! "))
				require.Equal(t, int32(1), lists.Load())
				for _, trips := range statuses(acc, "round_trips")[2:] {
					require.Equal(t, int64(1), trips)
				}
			})
		})
	}
}

// TestShortNamesOverRestarts: the object list is kept, but not that of another
// meter.
func TestShortNamesOverRestarts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		var lists atomic.Int32
		o := newChanging("METER1", -1)
		n.set("", &host{meter: shortMeter("hdlc", o, &lists)})
		run := func() *sink {
			d, j := plugin(t, n, registersConf(shortTop+"\nstate_dir = \""+dir+"\"", "", 20))
			d.State, d.ConfigPath = nil, "dlms.conf"
			require.NoError(t, d.Init())
			acc := &sink{}
			_, err := d.RunOnce(context.Background(), acc, "")
			require.NoError(t, err)
			require.Empty(t, j.at("W! "))
			return acc
		}
		for range 3 {
			require.Equal(t, 20, requireTrue(t, run()))
			require.Equal(t, int32(1), lists.Load())
		}
		o.change(func(c *changing) { c.name, c.scaler = "METER2", 2 })
		require.Equal(t, 20, requireTrue(t, run()))
		require.Equal(t, int32(2), lists.Load())
	})
}

// TestShortNamesOfAnotherMeter replaces the meter by one that has other objects
// under the same names: no value is taken for another.
func TestShortNamesOfAnotherMeter(t *testing.T) {
	for name, becomes := range map[string]func(c *changing){
		"name":             func(c *changing) { c.name = "METER2" },
		"class":            func(c *changing) { c.name, c.class = "METER2", cosem.ExtendedRegister },
		"no name any more": func(c *changing) { c.name = "" },
		"never a name":     func(c *changing) {},
	} {
		for _, keep := range []string{"auto", "never"} {
			t.Run(name+"/"+keep, func(t *testing.T) {
				bubble(t, registersConf(shortTop+"\nkeep_open = \""+keep+"\"", everyTen, 20), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
					var lists atomic.Int32
					o := newChanging("METER1", -1)
					if name == "never a name" {
						o.refuse[nameAttribute()] = 3
						becomes = func(c *changing) { c.name = "METER2" }
					}
					n.set("", &host{meter: shortMeter("hdlc", o, &lists)})
					require.NoError(t, d.Start(acc))
					later(35 * time.Second)
					require.Equal(t, 80, requireTrue(t, acc))
					n.cut()
					o.change(func(c *changing) { c.scaler = 1; becomes(c) })
					later(100 * time.Second)
					require.Equal(t, 80+200, requireTrue(t, acc))
					require.Empty(t, acc.errors())
					require.GreaterOrEqual(t, lists.Load(), int32(2))
				})
			})
		}
	}
}

// TestShortNamesSlowList: the object list may take longer than the request's
// timeout, for it is read only once.
func TestShortNamesSlowList(t *testing.T) {
	bubble(t, registersConf(shortTop+"\ntimeout = \"10s\"", "method = \"polling\"\ninterval = \"5m\"", 20), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		m := dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc", ShortNames: true, BlockSize: 20, ResponseDelay: time.Second}, newChanging("METER1", -1))
		n.set("", &host{meter: m})
		require.NoError(t, d.Start(acc))
		later(4 * time.Minute)
		require.Equal(t, []string{"success"}, acc.results())
		require.Equal(t, 20, requireTrue(t, acc))
		require.Greater(t, acc.all()[len(acc.all())-1].fields["duration"], 20.0)
	})
}

// TestGivenNames: with base names for all items the list is not read.
func TestGivenNames(t *testing.T) {
	c := "[[inputs.dlms_cosem]]\n" + shortTop + "\n[[inputs.dlms_cosem.request]]\nname = \"a\"\n" +
		"[[inputs.dlms_cosem.request.item]]\nname = \"v0\"\nobis = \"1.0.1.8.0.255\"\nbase_name = 0x7828\n"
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		var lists atomic.Int32
		n.set("", &host{meter: shortMeter("hdlc", newChanging("METER1", -1), &lists)})
		failed, err := d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Zero(t, failed, "%v", acc.errors())
		require.Equal(t, 1, requireTrue(t, acc))
		require.Zero(t, lists.Load())
	})
}

// TestReferencingHints: which names a meter wants is told.
func TestReferencingHints(t *testing.T) {
	for _, short := range []bool{false, true} {
		top := hdlcTop
		if !short {
			top = shortTop
		}
		bubble(t, registersConf(top, "", 1), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			n.set("", &host{meter: dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc", ShortNames: short}, newChanging("METER1", 0))})
			_, err := d.RunOnce(context.Background(), acc, "")
			require.NoError(t, err)
			require.Equal(t, []string{"refused"}, acc.results())
			require.Len(t, acc.errors(), 1)
			require.Contains(t, acc.errors()[0], "diagnostic 2")
			require.Contains(t, acc.errors()[0], "set referencing to the other one")
		})
	}
}
