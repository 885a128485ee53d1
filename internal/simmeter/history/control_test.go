package history_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

func TestEventsOfOneSecond(t *testing.T) {
	b := newBench(t, history.Config{UnixClock: true})
	b.clock = begin.Add(12*time.Second + 345*time.Millisecond)
	b.m.Event(7)
	b.m.Events(9, 3)
	log := b.m.Captured(history.EventLog)
	require.Len(t, log, 4)
	for _, r := range log {
		require.Equal(t, begin.Add(12*time.Second), r.Time)
	}
	require.Equal(t, []float64{7, 9}, []float64{log[0].Values[1], log[3].Values[1]})
	require.Equal(t, want(log), b.all(history.EventLog))
	require.Zero(t, b.number(at(cosem.ProfileGeneric, history.EventLog, 4)))
	require.EqualValues(t, 9, b.number(at(cosem.Data, history.EventCodeObject, 2)))
	require.Empty(t, b.all(history.LoadProfile))
}

func TestResetAndEviction(t *testing.T) {
	b := newBench(t, history.Config{Capacity: 4})
	b.clock = begin.Add(2 * time.Hour)
	b.m.Event(1)
	require.Len(t, b.held(history.LoadProfile), 4)
	b.m.Reset(history.LoadProfile)
	require.Empty(t, b.all(history.LoadProfile))
	require.Zero(t, b.number(at(cosem.ProfileGeneric, history.LoadProfile, 7)))
	require.Len(t, b.all(history.EventLog), 1)
	b.clock = b.clock.Add(15 * time.Minute)
	captured := b.m.Captured(history.LoadProfile)
	require.Len(t, captured, 9)
	require.Equal(t, 8, captured[8].Sequence, "values go on")
	require.Equal(t, want(captured)[8:], b.all(history.LoadProfile))
	b.m.Reset()
	require.Empty(t, b.all(history.EventLog))
}

func TestTheLayoutChanges(t *testing.T) {
	number := history.Column{
		Object: cosem.CaptureObject{Class: cosem.Data, Instance: obis.Code{0, 0, 96, 1, 0, 255}, Attribute: 2},
		Text:   func(i int) string { return string(rune('a' + i)) },
	}
	for _, keep := range []bool{false, true} {
		b := newBench(t, history.Config{})
		b.clock = begin.Add(time.Hour)
		b.m.SetColumns([]history.Column{history.EnergyColumn(obis.Code{1, 0, 9, 8, 0, 255}, 11), number}, keep)
		require.Len(t, b.captures(history.LoadProfile), 3)
		b.clock = b.clock.Add(15 * time.Minute)
		d, _ := b.buffer(history.LoadProfile, nil)
		var lengths []int
		var last axdr.Data
		for r := range d.All() {
			n := 0
			for c := range r.All() {
				n++
				last = c
			}
			lengths = append(lengths, n)
		}
		if keep {
			require.Equal(t, []int{5, 5, 5, 5, 3}, lengths)
		} else {
			require.Equal(t, []int{3}, lengths)
		}
		require.Equal(t, axdr.Data(axdr.AppendVisibleString(nil, "e")), last)
		b.m.SetColumns(nil, false)
		require.Len(t, b.captures(history.LoadProfile), 5)
	}
}

func TestAnotherMeterTakesThePlace(t *testing.T) {
	b := newBench(t, history.Config{})
	b.clock = begin.Add(time.Hour)
	old := b.held(history.LoadProfile)
	b.m.Replace("SIM0000000000002", 0)
	require.Empty(t, b.all(history.LoadProfile))
	require.True(t, b.m.Captured(history.LoadProfile)[0].Gone)
	b.clock = b.clock.Add(15 * time.Minute)
	fresh := b.held(history.LoadProfile)
	require.Len(t, fresh, 1)
	require.Zero(t, fresh[0].Sequence)
	require.Equal(t, "SIM0000000000002", fresh[0].Meter)
	require.NotEqual(t, old[0].Raw[2], fresh[0].Raw[2])
	text, _ := b.get(at(cosem.Data, history.LogicalDeviceName, 2)).Octets()
	require.Equal(t, "SIM0000000000002", string(text))

	b.m.Replace("SIM0000000000003", 45*time.Minute)
	held := b.held(history.LoadProfile)
	require.Len(t, held, 3)
	require.Equal(t, want(held), b.all(history.LoadProfile))
	require.Equal(t, begin.Add(38*time.Minute), held[0].Time)
}

func TestSpoiltRows(t *testing.T) {
	b := newBench(t, history.Config{Encoding: history.Encoding{NullTimes: true, NullValues: true, Deltas: true}})
	b.clock = begin.Add(30 * time.Minute)
	b.m.Wildcard(1)
	b.clock = b.clock.Add(30 * time.Minute)
	rows := b.all(history.LoadProfile)
	require.Len(t, rows, 4)
	require.True(t, rows[2].time.IsZero())
	require.False(t, rows[3].time.IsZero(), "it does not refer to a time that is none")
	require.Equal(t, want(b.held(history.LoadProfile)), rows)

	b.m.WrongArity(3)
	b.clock = b.clock.Add(time.Hour)
	rows = b.all(history.LoadProfile)
	require.Len(t, rows, 8)
	for i, r := range rows {
		require.Len(t, r.values, []int{4, 4, 4, 4, 3, 3, 3, 4}[i])
	}
	held := b.held(history.LoadProfile)
	require.Equal(t, held[6].Raw[4], held[7].Raw[4], "what would be a null if the cell before were there")
	require.Equal(t, want(held)[7], rows[7])
	require.True(t, b.held(history.LoadProfile)[5].Short)

	b.m.Change(func(c *history.Config) { c.CompactArray = true })
	d, _ := b.buffer(history.LoadProfile, nil)
	_, err := axdr.Expand(nil, d, 1<<16)
	require.Error(t, err, "a compact-array cannot leave a cell out")
}

func TestEndlessAnswers(t *testing.T) {
	for _, step := range []time.Duration{15 * time.Minute, -15 * time.Minute} {
		b := newBench(t, history.Config{})
		for _, hours := range []time.Duration{0, 1} { // without and with rows
			b.clock = begin.Add(hours * time.Hour)
			b.m.Endless(step)
			raw, res := b.m.Get(client, at(cosem.ProfileGeneric, history.LoadProfile, 2), nil, nil)
			require.Equal(t, xdlms.Success, res)
			require.Len(t, raw, 8<<20)
			var d axdr.Decoder
			d.Reset(raw)
			require.Equal(t, axdr.TagArray, axdr.Data(raw).Tag())
			n, rest, err := axdr.CutLength(raw[1:])
			require.NoError(t, err)
			require.Equal(t, 1<<24, n)
			d.Reset(rest)
			var before time.Time
			for i := range 1000 {
				d.Structure(5)
				at, ok := d.DateTime().Time(nil)
				require.True(t, ok)
				for range 4 {
					d.Skip()
				}
				require.NoError(t, d.Err())
				if i > 0 {
					require.Equal(t, step, at.Sub(before))
				}
				before = at
			}
			b.m.Endless(0)
			b.all(history.LoadProfile)
		}
	}
}

func TestAnswersAreNoLongerThanEightMegabytes(t *testing.T) {
	b := newBench(t, history.Config{Period: time.Second, Capacity: 1 << 20})
	b.clock = begin.Add(300_000 * time.Second)
	_, res := b.buffer(history.LoadProfile, nil)
	require.Equal(t, xdlms.LongGetAborted, res)
	d, res := b.buffer(history.LoadProfile, entries(299_999, 0, 1, 0))
	require.Equal(t, xdlms.Success, res)
	require.Len(t, b.rows(history.LoadProfile, d), 2)
}
