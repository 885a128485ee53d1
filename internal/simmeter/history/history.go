// Package history is a meter that remembers, for tests: a load profile, a log
// of events and, if wanted, billing values, which fill as its clock goes on,
// and which tests spoil as meters in the field do: the clock jumps, the power
// fails, the layout changes, the meter is replaced, the answer never ends.
//
//	clock := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
//	m := history.New(history.Config{Now: func() time.Time { return clock }})
//	served := dlmstest.NewMeter(dlmstest.Config{}, m)
//
// Rows are captured when somebody asks: all those whose time has come since, as
// if the meter had been watched all the time. [Meter.Captured] tells what there
// was to be read.
package history

import (
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Defaults of a [Config].
const (
	DefaultPeriod   = 15 * time.Minute
	DefaultCapacity = 3840 // rows: 40 days of quarters
	DefaultName     = "SIM0000010203040"
	DefaultFirmware = "SIM 2.4.1"
)

// Names of the objects.
var (
	LogicalDeviceName = obis.Code{0, 0, 42, 0, 0, 255}  // class 1
	ClockObject       = obis.Code{0, 0, 1, 0, 0, 255}   // class 8
	UnixClockObject   = obis.Code{0, 0, 1, 1, 0, 255}   // class 1
	FirmwareObject    = obis.Code{1, 0, 0, 2, 0, 255}   // class 1
	LoadProfile       = obis.Code{1, 0, 99, 1, 0, 255}  // class 7
	EventLog          = obis.Code{0, 0, 99, 98, 0, 255} // class 7
	BillingProfile    = obis.Code{0, 0, 98, 1, 0, 255}  // class 7
	EventCodeObject   = obis.Code{0, 0, 96, 11, 0, 255} // class 1
	associationObject = obis.Code{0, 0, 40, 0, 0, 255}  // class 15
)

// Deviation is how a meter tells the difference of its local time from UTC.
type Deviation int

// The styles of deviations.
const (
	DeviationStandard    Deviation = iota // -60 for CET
	DeviationInverted                     // +60 for CET, in requests as well
	DeviationUnspecified                  // 8000h
)

// RangeForm is a set of the forms of date-times in ranges.
type RangeForm uint8

// The forms. A range whose date-times have another one than the meter accepts
// is refused.
const (
	WithDeviation RangeForm = 1 << iota
	WithoutDeviation
)

// Config says what a meter remembers and how it tells it. The zero value is a
// meter without vices that begins with empty profiles.
type Config struct {
	Now      func() time.Time // true time; nil is time.Now
	Offset   time.Duration    // of the meter's clock from true time, at first
	Past     time.Duration    // how long the meter has been capturing when New is called
	Location *time.Location   // of the clock, of days and of months; nil is UTC
	Name     string           // logical device name; empty is DefaultName
	Firmware string           // empty is DefaultFirmware

	Period   time.Duration // of the load profile; 0 is DefaultPeriod
	Capacity int           // rows that each profile keeps; 0 is DefaultCapacity
	LIFO     bool          // the newest row comes first
	Billing  bool          // there is a billing profile, with a row at the begin of each month

	// Columns are those of the load profile beside its clock; nil is
	// DefaultColumns.
	Columns     []Column
	ClockColumn int  // position of the clock in the load profile, from 0; beyond the end is last
	UnixClock   bool // class 1, 0.0.1.1.0.255, double-long-unsigned, in place of class 8, in all profiles
	NoClock     bool // the load profile has no clock

	Deviation   Deviation
	DSTBit      bool // bit 7 of the clock status tells daylight saving
	TaggedTimes bool // date-time in place of octet-string
	SortByClock bool // sort_object is the clock; else it is class 0, 0.0.0.0.0.0, attribute 0
	PeriodZero  bool // capture_period says 0 for the load profile too

	Selective
	Encoding
}

// Selective says what of selective access to buffers a meter has, and how.
// The zero value has everything.
type Selective struct {
	Range         RangeForm // what ranges are accepted; 0 is all
	RoundedOnly   bool      // from and to must be whole minutes and multiples of the period
	LocalOnly     bool      // compares the fields of the wall clock and does not look at deviations
	ExclusiveFrom bool      // a row at from is not in the answer
	ExclusiveTo   bool      // a row at to is not

	NoRange           bool // selector 1 is refused
	NoEntry           bool // selector 2 is refused
	NoSelectiveAccess bool // every selector is refused
	IgnoreSelectors   bool // the whole buffer comes, whatever was selected
	EntryNewestFirst  bool // entry 1 is the newest row, and the answer begins with it

	Refusal      xdlms.DataAccessResult // of what is refused; 0 is OtherReason
	RefuseEmpty  bool                   // what is refused gets an answer without rows in place of Refusal
	ErrorOnEmpty xdlms.DataAccessResult // of an answer without rows; 0 is an empty array
	NullOnEmpty  bool                   // null-data for an answer without rows
}

// Encoding says how rows are written. The zero value writes each in full.
type Encoding struct {
	NullTimes    bool // the time is null-data when it is that of the row before plus the period
	NullValues   bool // a value is null-data when it is that of the row before
	Deltas       bool // columns with Column.Delta are deltas to the row before
	CompactArray bool // the buffer is a compact-array, without nulls and deltas
	ArrayRows    bool // a row is an array in place of a structure

	// AttributeZero captures attribute 0 of every object, and the cell is its
	// value. WholeObjects does so for all but the clock, and the cell is a
	// structure of all attributes of the object, its logical name first.
	AttributeZero bool
	WholeObjects  bool

	// DataIndex adds a column to DefaultColumns that is an element of a
	// structure.
	DataIndex bool
}

// Meter is a meter that remembers. It implements dlmstest.Objects, and all its
// methods may be called at any time from any goroutine.
type Meter struct {
	mu       sync.Mutex
	cfg      Config
	now      func() time.Time
	offset   time.Duration
	last     time.Time // of the meter's clock: all that it passed up to here is captured
	off      bool      // no power
	life     int       // which meter this is, since some were replaced
	profiles []*profile
	load     *profile
	events   *profile

	wildcards, short int // rows of the load profile that are to be spoilt
	claim            int64
	endless          time.Duration
}

// New returns a meter.
func New(cfg Config) *Meter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Period <= 0 {
		cfg.Period = DefaultPeriod
	}
	if cfg.Capacity <= 0 {
		cfg.Capacity = DefaultCapacity
	}
	if cfg.Name == "" {
		cfg.Name = DefaultName
	}
	if cfg.Firmware == "" {
		cfg.Firmware = DefaultFirmware
	}
	m := &Meter{cfg: cfg, now: cfg.Now, offset: cfg.Offset, claim: -1}
	m.load = &profile{code: LoadProfile, next: m.nextPeriod, layout: cfg.loadLayout(cfg.Columns)}
	m.events = &profile{code: EventLog, layout: cfg.withClock(0, eventColumns())}
	m.profiles = []*profile{m.load, m.events}
	if cfg.Billing {
		m.profiles = append(m.profiles, &profile{code: BillingProfile, next: m.nextMonth, layout: cfg.withClock(0, billingColumns())})
	}
	m.last = m.clock().Add(-cfg.Past)
	return m
}

// clock is what the meter's clock shows.
func (m *Meter) clock() time.Time { return m.now().Add(m.offset) }

// catchUp captures what has come since the last time.
func (m *Meter) catchUp() {
	now := m.clock()
	if !now.After(m.last) {
		return
	}
	if !m.off {
		for _, p := range m.profiles {
			if p.next == nil {
				continue
			}
			for t := p.next(m.last); !t.After(now); t = p.next(t) {
				m.capture(p, t, nil)
			}
		}
	}
	m.last = now
}

// nextPeriod is the first multiple of the period, in local time, after t.
func (m *Meter) nextPeriod(t time.Time) time.Time {
	t = t.In(m.cfg.Location)
	seconds := int64(max(m.cfg.Period/time.Second, 1))
	_, east := t.Zone()
	if seconds <= 3600 || seconds > 86400 {
		local := t.Unix() + int64(east)
		return time.Unix((local/seconds+1)*seconds-int64(east), 0)
	}
	// The wall clock counts: a day may have 23 or 25 hours.
	year, month, day := t.Date()
	since := int64(t.Hour()*3600 + t.Minute()*60 + t.Second())
	for k := since/seconds + 1; ; k++ {
		next := time.Date(year, month, day, 0, 0, int(min(k*seconds, 86400)), 0, m.cfg.Location)
		if next.After(t) {
			return next
		}
	}
}

// nextMonth is the first local midnight of a month after t.
func (m *Meter) nextMonth(t time.Time) time.Time {
	year, month, _ := t.In(m.cfg.Location).Date()
	return time.Date(year, month+1, 1, 0, 0, 0, 0, m.cfg.Location)
}
