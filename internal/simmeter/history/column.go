package history

import (
	"math"
	"slices"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// Column is a column of a profile and the object that it captures.
type Column struct {
	// Object is what is captured. With a data index n the attribute is a
	// structure of n elements, of which the last is captured.
	Object cosem.CaptureObject
	Tag    axdr.Tag   // of the value; 0 is double-long-unsigned
	Scaler int8       // of a Register
	Unit   cosem.Unit // of a Register; 0 is cosem.UnitNone
	Delta  bool       // it is a delta under Encoding.Deltas

	// Value is the value of row i of the profile, counted from 0 through the
	// life of the meter, also over what was cleared or evicted; nil is i. A meter
	// that replaced another counts from a number of its own.
	Value func(i int) int64
	// Text is the value of a column that is a visible-string, whatever Tag says.
	Text func(i int) string

	clock bool
}

// DefaultColumns are those of the load profile, beside its clock: a status, two
// energies that grow with each row, and a voltage.
func DefaultColumns() []Column {
	return []Column{
		{
			Object: cosem.CaptureObject{Class: cosem.Data, Instance: obis.Code{0, 0, 96, 10, 1, 255}, Attribute: 2},
			Tag:    axdr.TagUnsigned,
			Value: func(i int) int64 {
				if i%50 == 49 {
					return 2
				}
				return 0
			},
		},
		EnergyColumn(obis.Code{1, 0, 1, 8, 0, 255}, 7),
		EnergyColumn(obis.Code{1, 0, 2, 8, 0, 255}, 5),
		{
			Object: cosem.CaptureObject{Class: cosem.Register, Instance: obis.Code{1, 0, 32, 7, 0, 255}, Attribute: 2},
			Tag:    axdr.TagLongUnsigned, Scaler: -1, Unit: cosem.UnitVolt,
			Value: func(i int) int64 { return 2300 + int64(i/2%101) },
		},
	}
}

// EnergyColumn is a Register in Wh, a double-long-unsigned that row i advances
// by 1 + i mod cycle, so that no two rows have the same.
func EnergyColumn(code obis.Code, cycle int) Column {
	return Column{
		Object: cosem.CaptureObject{Class: cosem.Register, Instance: code, Attribute: 2},
		Tag:    axdr.TagDoubleLongUnsigned, Unit: cosem.UnitWattHour, Delta: true,
		Value: func(i int) int64 { return Sum(i, cycle) },
	}
}

// Sum is what 1 + j mod cycle adds up to for j from 0 to i.
func Sum(i, cycle int) int64 {
	whole, rest := int64((i+1)/cycle), int64((i+1)%cycle)
	n := int64(cycle)
	return whole*n*(n+1)/2 + rest*(rest+1)/2
}

// ElementColumn is the second element of a structure in a Data object.
func ElementColumn() Column {
	return Column{
		Object: cosem.CaptureObject{Class: cosem.Data, Instance: obis.Code{0, 0, 96, 10, 2, 255}, Attribute: 2, DataIndex: 2},
		Tag:    axdr.TagLongUnsigned,
		Value:  func(i int) int64 { return int64(1000 + i%1000) },
	}
}

func eventColumns() []Column {
	return []Column{{
		Object: cosem.CaptureObject{Class: cosem.Data, Instance: EventCodeObject, Attribute: 2},
		Tag:    axdr.TagUnsigned,
	}}
}

func billingColumns() []Column {
	c := EnergyColumn(obis.Code{1, 0, 1, 8, 1, 255}, 3)
	c.Value = func(i int) int64 { return 1000 * Sum(i, 3) }
	return []Column{c}
}

// IsClock reports whether the column is the clock of its profile.
func (c *Column) IsClock() bool { return c.clock }

func (c *Column) value(i int) int64 {
	if c.Value == nil {
		return int64(i)
	}
	return c.Value(i)
}

// scaled is a raw value in the unit of the column.
func (c *Column) scaled(raw int64) float64 {
	if c.Scaler < 0 {
		return float64(raw) / math.Pow10(-int(c.Scaler))
	}
	return float64(raw) * math.Pow10(int(c.Scaler))
}

// layout is the columns of rows. It does not change.
type layout struct{ columns []Column }

// clock is the position of the clock, -1 without.
func (l *layout) clock() int {
	return slices.IndexFunc(l.columns, func(c Column) bool { return c.clock })
}

// loadLayout is the layout of a load profile with these columns beside the clock.
func (cfg *Config) loadLayout(columns []Column) *layout {
	if columns == nil {
		columns = DefaultColumns()
		if cfg.DataIndex {
			columns = append(columns, ElementColumn())
		}
	}
	if cfg.NoClock {
		return &layout{slices.Clone(columns)}
	}
	return cfg.withClock(cfg.ClockColumn, columns)
}

// withClock is a layout with the clock at a position.
func (cfg *Config) withClock(at int, columns []Column) *layout {
	c := Column{Object: cosem.CaptureObject{Class: cosem.Clock, Instance: ClockObject, Attribute: 2}, Tag: axdr.TagOctetString, clock: true}
	if cfg.UnixClock {
		c.Object.Class, c.Object.Instance, c.Tag = cosem.Data, UnixClockObject, axdr.TagDoubleLongUnsigned
	}
	return &layout{slices.Insert(slices.Clone(columns), min(max(at, 0), len(columns)), c)}
}

// captured is the capture object of a column as the meter tells it.
func (cfg *Config) captured(c *Column) cosem.CaptureObject {
	o := c.Object
	if cfg.AttributeZero || cfg.WholeObjects && !c.clock {
		o.Attribute, o.DataIndex = 0, 0
	}
	return o
}
