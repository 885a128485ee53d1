package dlms_cosem

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// besideConf has a request of the same meter beside that of the profile.
func besideConf(top, more string) string {
	return profileConf(top, hourly, more) +
		"[[inputs.dlms_cosem.request]]\nname = \"b\"\nmethod = \"polling\"\ninterval = \"10m\"\n[[inputs.dlms_cosem.request.item]]\nname = \"beside\"\nobis = \"1.0.2.8.0.255\"\n"
}

// served checks that the other request worked all the time.
func (x *pastTest) served(atLeast int) {
	x.Helper()
	good := 0
	for _, r := range x.acc.results("request", "b") {
		if r == "success" {
			good++
		}
	}
	require.GreaterOrEqual(x, good, atLeast, "%v", x.acc.errors())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestProfileEndless: answers that do not end, forward and backward. They cost
// neither memory nor the other requests, and what there is comes once they end.
func TestProfileEndless(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 15 * time.Minute, "backward": -15 * time.Minute, "slowly": time.Second} {
		for meter, cfg := range map[string]history.Config{
			"range": {}, "by entry": {Selective: history.Selective{NoRange: true}}, "newest first": {LIFO: true},
		} {
			if name != "forward" && meter == "newest first" || name != "forward" && meter == "by entry" {
				continue // each costs half a second, and rows that are made up between those that are true are believed
			}
			t.Run(name+", "+meter, func(t *testing.T) {
				cfg.Past = 2 * day
				past(t, besideConf(historyTop, "lookback = \"1d\""), cfg, func(x *pastTest) {
					begin := time.Now()
					later(time.Hour + 2*time.Minute)
					require.Len(x, x.rows(profileMeasurement), 100)
					before, rows := heap(), len(x.rows(profileMeasurement))
					x.m.Endless(step)
					later(2 * time.Hour)
					require.Less(x, heap(), before+100<<20)
					require.Less(x, len(x.rows(profileMeasurement)), rows+200_000)
					x.served(15)
					x.m.Endless(0)
					later(2 * time.Hour)
					x.poll()
					x.since(begin.Add(-day + 1))
				})
			})
		}
	}
}

// TestProfileClaims: a meter that claims ten million rows, and has its few.
func TestProfileClaims(t *testing.T) {
	for name, cfg := range map[string]history.Config{
		"by entry": {Selective: history.Selective{NoRange: true}}, "by entry, empty": {Selective: history.Selective{NoRange: true, RefuseEmpty: true}},
		"entry newest": {Selective: history.Selective{NoRange: true, EntryNewestFirst: true}}, "range": {}, "whole": {Selective: history.Selective{NoSelectiveAccess: true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Past = 2 * day
			past(t, besideConf(historyTop, "lookback = \"1d\""), cfg, func(x *pastTest) {
				begin := time.Now()
				x.m.ClaimEntries(10_000_000)
				later(3 * time.Hour)
				x.served(15)
				for _, v := range x.statuses("round_trips") {
					require.Less(x, v, int64(6000)) // it is looked for in what is claimed, 32 times at most
				}
				x.m.ClaimEntries(-1)
				later(3 * time.Hour)
				x.poll()
				if name != "entry newest" { // it counts from what it claims
					x.all(begin.Add(-day + 1))
				}
			})
		})
	}
}

// TestProfileOtherMeter: another meter answers at the address: its rows are not
// read on from the position of the old one, and none of those in lookback is
// left out.
func TestProfileOtherMeter(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %t", framing, restart), func(t *testing.T) {
				top := strings.Replace(historyTop, "wrapper", framing, 1)
				past(t, profileConf(top, hourly, "lookback = \"1d\""), history.Config{Past: 3 * day}, func(x *pastTest) {
					plug := func() { x.n.set("", &host{meter: newMeter(framing, x.m)}) }
					plug()
					x.n.cut()
					x.restart()
					begin := time.Now()
					later(5*time.Hour + time.Minute)
					x.unplug()
					if restart {
						x.d.Stop()
					}
					x.m.Replace("OTHER00000001", 2*day)
					plug()
					replaced := time.Now()
					if restart {
						x.start()
					}
					later(5 * time.Hour)
					x.poll()
					rows := map[string]bool{}
					for _, p := range x.rows(profileMeasurement) {
						rows[fmt.Sprintf("%s %v", p.at.UTC().Format(time.RFC3339), p.fields["1.0.1.8.0.255"])] = true
					}
					missing, want := 0, 0
					for _, r := range x.m.Captured(history.LoadProfile) {
						from := begin.Add(-day + 1)
						if r.Meter == "OTHER00000001" {
							from = replaced.Add(-day + time.Hour)
						}
						if r.Time.Before(from) || r.Gone && r.Time.After(begin.Add(5*time.Hour)) {
							continue
						}
						want++
						if !rows[fmt.Sprintf("%s %v", r.Time.Format(time.RFC3339), r.Values[2])] {
							missing++
						}
					}
					require.Greater(x, want, 200)
					require.Zero(x, missing)
				})
			})
		}
	}
}

// spoiled changes what a meter answers for the buffer of its load profile.
type spoiled struct {
	*history.Meter
	buffer func(sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult)
}

func (s *spoiled) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if at.Instance == history.LoadProfile && at.ID == 2 {
		if b, result := s.buffer(sel, b); b != nil {
			return b, result
		}
	}
	return s.Meter.Get(client, at, sel, b)
}

// TestProfileSpoiled: buffers that no meter should have.
func TestProfileSpoiled(t *testing.T) {
	row := func(b []byte, year int, cells int) []byte {
		b = axdr.AppendStructure(b, cells+1)
		d := axdr.DateTime{Year: uint16(year), Month: 1, Day: 1, Weekday: 0xFF, Hundredths: 0, Deviation: 0}
		b = axdr.AppendOctetString(b, d.Append(nil))
		for i := range cells {
			b = axdr.AppendDoubleLongUnsigned(b, uint32(i))
		}
		return b
	}
	for name, buffer := range map[string]func(*cosem.Selection, []byte) ([]byte, xdlms.DataAccessResult){
		"nothing to any range": func(sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			if sel == nil || sel.Selector == cosem.SelectorEntry {
				return nil, 0
			}
			return axdr.AppendArray(b, 0), xdlms.Success
		},
		"nothing to any selection": func(sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			if sel == nil {
				return nil, 0
			}
			return axdr.AppendArray(b, 0), xdlms.Success
		},
		"absurd years": func(_ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			b = axdr.AppendArray(b, 5)
			for _, year := range []int{0, 1, 1492, 9999, 65534} {
				b = row(b, year, 4)
			}
			return b, xdlms.Success
		},
		"wrong arity": func(_ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			b = axdr.AppendArray(b, 40)
			for i := range 40 {
				b = row(b, 2000, i%9)
			}
			return b, xdlms.Success
		},
		"no rows at all": func(_ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			b = axdr.AppendArray(b, 3)
			return axdr.AppendNull(axdr.AppendArray(axdr.AppendDoubleLongUnsigned(b, 7), 0)), xdlms.Success
		},
		"a number": func(_ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			return axdr.AppendDoubleLongUnsigned(b, 7), xdlms.Success
		},
	} {
		t.Run(name, func(t *testing.T) {
			past(t, besideConf(historyTop, "lookback = \"1d\""), history.Config{Past: 2 * day}, func(x *pastTest) {
				x.n.set("", &host{meter: newMeter("wrapper", &spoiled{x.m, buffer})})
				x.n.cut()
				x.restart()
				later(6 * time.Hour)
				x.served(30)
				require.Less(x, len(x.acc.errors()), 20, "%v", x.acc.errors())
				require.LessOrEqual(x, len(x.rows(profileMeasurement)), 200)
				for _, v := range x.statuses("round_trips") {
					require.Less(x, v, int64(300))
				}
				if name == "nothing to any range" { // by entry it has them
					require.NotEmpty(x, x.rows(profileMeasurement))
				}
				before := time.Now()
				x.plug() // and now it is mended
				x.n.cut()
				later(3 * time.Hour)
				x.poll()
				x.since(before)
			})
		})
	}
}

// TestProfileHangsUp: a meter that hangs up at every selection it is asked for
// is read as a whole, and does not take the other requests with it.
func TestProfileHangsUp(t *testing.T) {
	past(t, besideConf(historyTop, "lookback = \"1d\""), history.Config{Past: 2 * day}, func(x *pastTest) {
		begin := time.Now()
		meter := dlmstest.NewMeter(dlmstest.Config{Faults: &dlmstest.Faults{}}, &spoiled{x.m, func(sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			if sel != nil {
				x.n.cut()
			}
			return nil, 0
		}})
		x.n.set("", &host{meter: meter})
		x.n.cut()
		x.restart()
		later(2 * day)
		x.poll()
		x.served(100)
		x.all(begin.Add(-day + 1))
	})
}

// TestProfileShort: rows with a cell less than there are columns.
func TestProfileShort(t *testing.T) {
	past(t, besideConf(historyTop, "lookback = \"1d\""), history.Config{Past: 2 * day}, func(x *pastTest) {
		begin := time.Now()
		later(time.Hour + time.Minute)
		x.m.WrongArity(3)
		later(3 * time.Hour)
		x.restart()
		later(2 * time.Hour)
		x.poll()
		x.whole(begin.Add(-day + 1))
		require.NotEmpty(x, x.acc.errors())
		require.Less(x, len(x.acc.errors()), 6, "%v", x.acc.errors())
		x.served(25)
	})
}
