package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// sequences are the numbers of the rows of an answer, by their first energy.
func (b *bench) sequences(d axdr.Data) []int {
	list := []int{}
	for _, r := range b.rows(history.LoadProfile, d) {
		for _, c := range b.m.Captured(history.LoadProfile) {
			if energy := c.Raw[2]; energy == r.values[1] {
				list = append(list, c.Sequence)
			}
		}
	}
	return list
}

func TestRanges(t *testing.T) {
	zone := berlin(t)
	// Rows 0 to 11 are those of 13:15 to 16:00 CET.
	from := time.Date(2026, time.March, 1, 14, 0, 0, 0, zone) // row 3
	to := from.Add(time.Hour)                                 // row 7
	odd := from.Add(-time.Minute - time.Second)
	all := []int{3, 4, 5, 6, 7}
	u32 := func(t time.Time) axdr.Data { return axdr.AppendDoubleLongUnsigned(nil, uint32(t.Unix())) }
	never := axdr.AppendOctetString(nil, axdr.DateTime{Year: 0xffff, Month: 0xff, Day: 0xff, Deviation: axdr.DeviationUnspecified}.Append(nil))
	inverted := func(at time.Time) axdr.Data {
		d := axdr.FromTime(at)
		d.Deviation = -d.Deviation
		return axdr.AppendOctetString(nil, d.Append(nil))
	}
	unix := func(from, to axdr.Data) *cosem.Selection {
		s := cosem.RangeSelection(from, to, cosem.CaptureObject{Class: cosem.Data, Instance: history.UnixClockObject, Attribute: 2}, nil)
		return &s
	}
	both := func(deviation bool) *cosem.Selection {
		return selection(octets(from, deviation), octets(to, deviation))
	}
	utc := selection(octets(from.UTC(), true), octets(to.UTC(), true)) // the same hour with the deviation of UTC
	with := func(s history.Selective) history.Config { return history.Config{Selective: s} }
	for name, c := range map[string]selecting{
		"with deviation":               {with(history.Selective{}), both(true), all},
		"without deviation":            {with(history.Selective{}), both(false), all},
		"tagged":                       {history.Config{}, selection(axdr.AppendDateTime(nil, axdr.FromTime(from)), axdr.AppendDateTime(nil, axdr.FromTime(to))), all},
		"in UTC":                       {with(history.Selective{}), utc, all},
		"in UTC, local only":           {with(history.Selective{LocalOnly: true}), utc, []int{0, 1, 2, 3}},
		"local only":                   {with(history.Selective{LocalOnly: true}), both(true), all},
		"only with, given with":        {with(history.Selective{Range: history.WithDeviation}), both(true), all},
		"only with, given without":     {with(history.Selective{Range: history.WithDeviation}), both(false), nil},
		"only without, given with":     {with(history.Selective{Range: history.WithoutDeviation}), both(true), nil},
		"only without, given without":  {with(history.Selective{Range: history.WithoutDeviation}), both(false), all},
		"inverted":                     {history.Config{Deviation: history.DeviationInverted}, selection(inverted(from), inverted(to)), all},
		"inverted, standard asked":     {history.Config{Deviation: history.DeviationInverted}, both(true), []int{11}},
		"odd":                          {with(history.Selective{}), selection(octets(odd, true), octets(to, true)), all},
		"odd, rounded only":            {with(history.Selective{RoundedOnly: true}), selection(octets(odd, true), octets(to, true)), nil},
		"odd minute, rounded only":     {with(history.Selective{RoundedOnly: true}), selection(octets(from, true), octets(to.Add(time.Minute), true)), nil},
		"rounded only":                 {with(history.Selective{RoundedOnly: true}), both(true), all},
		"from is excluded":             {with(history.Selective{ExclusiveFrom: true}), both(true), all[1:]},
		"to is excluded":               {with(history.Selective{ExclusiveTo: true}), both(true), all[:4]},
		"unix clock":                   {history.Config{UnixClock: true}, unix(u32(from), u32(to)), all},
		"unix clock, rounded, local":   {history.Config{UnixClock: true, Selective: history.Selective{RoundedOnly: true, LocalOnly: true}}, unix(u32(from), u32(to)), all},
		"unix clock, odd":              {history.Config{UnixClock: true, Selective: history.Selective{RoundedOnly: true}}, unix(u32(odd), u32(to)), nil},
		"unix clock by the other":      {history.Config{UnixClock: true}, both(true), nil},
		"unix clock by texts":          {history.Config{UnixClock: true}, unix(octets(from, true), octets(to, true)), nil},
		"clock by the unix clock":      {history.Config{}, unix(u32(from), u32(to)), nil},
		"no clock":                     {history.Config{NoClock: true}, both(true), nil},
		"none":                         {with(history.Selective{NoRange: true}), both(true), nil},
		"no selection":                 {with(history.Selective{NoSelectiveAccess: true}), both(true), nil},
		"ignored":                      {with(history.Selective{IgnoreSelectors: true}), both(true), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"the newest first":             {history.Config{LIFO: true}, both(true), []int{7, 6, 5, 4, 3}},
		"open at the front":            {history.Config{}, selection(never, octets(from, true)), []int{0, 1, 2, 3}},
		"open at the end":              {history.Config{}, selection(octets(to, true), never), []int{7, 8, 9, 10, 11}},
		"nothing there":                {history.Config{}, selection(octets(to.Add(24*time.Hour), true), never), []int{}},
		"nothing, null":                {with(history.Selective{NullOnEmpty: true}), selection(octets(to.Add(24*time.Hour), true), never), []int{}},
		"refused, but an empty answer": {with(history.Selective{NoRange: true, RefuseEmpty: true}), both(true), []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Location = zone
			c.check(t)
		})
	}
}

func TestEntries(t *testing.T) {
	with := func(s history.Selective) history.Config { return history.Config{Selective: s} }
	for name, c := range map[string]selecting{
		"none":             {with(history.Selective{NoEntry: true}), entries(1, 2, 1, 0), nil},
		"some":             {history.Config{}, entries(2, 4, 1, 0), []int{1, 2, 3}},
		"to the last":      {history.Config{}, entries(10, 0, 1, 0), []int{9, 10, 11}},
		"beyond the last":  {history.Config{}, entries(10, 4_000_000_000, 1, 0), []int{9, 10, 11}},
		"none there":       {history.Config{}, entries(13, 0, 1, 0), []int{}},
		"lifo":             {history.Config{LIFO: true}, entries(2, 3, 1, 0), []int{10, 9}},
		"newest first":     {with(history.Selective{EntryNewestFirst: true}), entries(1, 3, 1, 0), []int{11, 10, 9}},
		"nonsense":         {history.Config{}, &cosem.Selection{Selector: 1, Parameters: axdr.Data{0}}, nil},
		"unknown selector": {history.Config{}, &cosem.Selection{Selector: 9, Parameters: axdr.Data{0}}, nil},
	} {
		t.Run(name, c.check)
	}
}

// selecting is a selection and the rows that a meter gives.
type selecting struct {
	cfg  history.Config
	sel  *cosem.Selection
	want []int // nil: refused
}

func (c selecting) check(t *testing.T) {
	b := newBench(t, c.cfg)
	b.clock = begin.Add(3 * time.Hour)
	d, res := b.buffer(history.LoadProfile, c.sel)
	if c.want == nil {
		require.Equal(t, xdlms.OtherReason, res)
		b.m.Change(func(c *history.Config) { c.Refusal = xdlms.ScopeOfAccessViolated })
		_, res = b.buffer(history.LoadProfile, c.sel)
		require.Equal(t, xdlms.ScopeOfAccessViolated, res)
		return
	}
	require.Equal(t, xdlms.Success, res)
	require.Equal(t, c.want, b.sequences(d))
	b.m.Change(func(c *history.Config) { c.ErrorOnEmpty = xdlms.ObjectUnavailable })
	if _, res = b.buffer(history.LoadProfile, c.sel); len(c.want) == 0 && !c.cfg.RefuseEmpty {
		require.Equal(t, xdlms.ObjectUnavailable, res)
	} else {
		require.Equal(t, xdlms.Success, res)
	}
}

// A range of local time without deviation that begins in the hour that comes
// twice means what the bit of the request says; a meter that compares wall
// clocks gives both hours.
func TestRangesInTheHourThatComesTwice(t *testing.T) {
	cfg := history.Config{Location: berlin(t)}
	b := newBench(t, cfg)
	b.clock = time.Date(2026, time.October, 25, 0, 10, 0, 0, time.UTC) // 2:10 CEST
	b.m.Captured(history.LoadProfile)
	b.m.Reset()
	b.clock = b.clock.Add(2 * time.Hour) // 3:10 CET
	ask := func(status uint8) int {
		at := axdr.DateTime{Year: 2026, Month: 10, Day: 25, Weekday: 7, Hour: 2, Minute: 30, Deviation: axdr.DeviationUnspecified, Status: status}
		to := at
		to.Hour, to.Status = 3, 0
		d, res := b.buffer(history.LoadProfile, selection(axdr.AppendOctetString(nil, at.Append(nil)), axdr.AppendOctetString(nil, to.Append(nil))))
		require.Equal(t, xdlms.Success, res)
		return len(b.rows(history.LoadProfile, d))
	}
	require.Equal(t, 7, ask(axdr.StatusDaylightSaving)) // 2:30 CEST to 3:00 CET
	require.Equal(t, 3, ask(0))
	b.m.Change(func(c *history.Config) { c.LocalOnly = true })
	require.Equal(t, 5, ask(0)) // 2:30, 2:45, 2:30, 2:45, 3:00
}

func TestColumnsAreSelected(t *testing.T) {
	for name, cfg := range map[string]history.Config{
		"plain":       {},
		"compact":     {Encoding: history.Encoding{CompactArray: true}},
		"attribute 0": {Encoding: history.Encoding{AttributeZero: true}},
		"whole":       {Encoding: history.Encoding{WholeObjects: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, cfg)
			b.clock = begin.Add(time.Hour)
			captures := b.captures(history.LoadProfile)
			never := octets(begin.Add(-time.Hour), true)
			cells := func(sel *cosem.Selection) (list []axdr.Tag) {
				d, res := b.buffer(history.LoadProfile, sel)
				require.Equal(t, xdlms.Success, res)
				d, err := axdr.Expand(nil, d, 1<<16)
				require.NoError(t, err)
				for r := range d.All() {
					list = list[:0]
					for c := range r.All() {
						list = append(list, c.Tag())
					}
				}
				return list
			}
			last := []axdr.Tag{axdr.TagLongUnsigned, axdr.TagOctetString}
			if cfg.WholeObjects {
				last[0] = axdr.TagStructure
			}
			require.Equal(t, last, cells(selection(never, octets(begin.Add(time.Hour), true), captures[4], captures[0])))
			require.Equal(t, last[:1], cells(entries(1, 0, 5, 0)))
			require.Len(t, cells(entries(1, 0, 2, 3)), 2)
			for _, sel := range []*cosem.Selection{
				selection(never, never, cosem.CaptureObject{Class: cosem.Register, Instance: obis.Code{1}, Attribute: 2}),
				entries(1, 0, 6, 0), entries(1, 0, 3, 2),
			} {
				_, res := b.buffer(history.LoadProfile, sel)
				require.Equal(t, xdlms.OtherReason, res)
			}
		})
	}
}

func TestOnlyTheCapturesOfTheAnswerAreReferredTo(t *testing.T) {
	b := newBench(t, history.Config{Encoding: history.Encoding{NullTimes: true, NullValues: true, Deltas: true}})
	b.clock = begin.Add(24 * time.Hour)
	d, _ := b.buffer(history.LoadProfile, entries(20, 30, 1, 0))
	require.Equal(t, want(b.held(history.LoadProfile))[19:30], b.rows(history.LoadProfile, d))
	b.m.Jump(-3 * time.Hour) // downwards there is no null for a time
	b.clock = b.clock.Add(4 * time.Hour)
	require.Equal(t, want(b.held(history.LoadProfile)), b.all(history.LoadProfile))
	require.False(t, slices.ContainsFunc(b.all(history.LoadProfile), func(r row) bool { return r.time.IsZero() }))
}

func FuzzSelection(f *testing.F) {
	f.Add(uint8(1), []byte(selection(octets(begin, true), octets(begin.Add(time.Hour), false)).Parameters))
	f.Add(uint8(2), []byte(entries(1, 0, 1, 0).Parameters))
	f.Add(uint8(2), []byte(entries(0xffffffff, 1, 0xffff, 0xffff).Parameters))
	configs := []history.Config{
		{}, {UnixClock: true}, {LIFO: true, Selective: history.Selective{RoundedOnly: true, LocalOnly: true}},
		{Deviation: history.DeviationInverted, Encoding: history.Encoding{CompactArray: true, WholeObjects: true}},
		{NoClock: true, Selective: history.Selective{EntryNewestFirst: true}},
	}
	f.Fuzz(func(t *testing.T, selector uint8, parameters []byte) {
		for _, cfg := range configs {
			cfg.Now, cfg.Past = func() time.Time { return begin }, 3*time.Hour
			raw, res := history.New(cfg).Get(client, at(cosem.ProfileGeneric, history.LoadProfile, 2),
				&cosem.Selection{Selector: selector, Parameters: parameters}, nil)
			if res != xdlms.Success {
				continue
			}
			d, err := axdr.Parse(raw)
			require.NoError(t, err)
			_, err = axdr.Expand(nil, d, 1<<20)
			require.NoError(t, err)
		}
	})
}
