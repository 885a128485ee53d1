package xdlms

import (
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// LongInvokeID is Long-Invoke-Id-And-Priority: bits 0 to 23 are the id.
type LongInvokeID uint32

// Bits of a LongInvokeID besides the id.
const (
	LongSelfDescriptive LongInvokeID = 1 << 28
	LongBreakOnError    LongInvokeID = 1 << 29
	LongConfirmed       LongInvokeID = 1 << 30
	LongHighPriority    LongInvokeID = 1 << 31
)

// ID returns the id alone.
func (id LongInvokeID) ID() uint32 { return uint32(id & 0xFFFFFF) }

// dateTimeOctets is how long a date-time is.
const dateTimeOctets = 12

// DataNotification is DataNotification, the unsolicited service of push (Green Book Ed. 9, 9.3.10).
type DataNotification struct {
	InvokeID LongInvokeID
	Time     []byte // the 12 octets of its date-time, a view; nil: none
	// Body is what follows: one Data by the standard. It is a view, and not checked, for meters send other things too.
	Body []byte
}

// ParseDataNotification reads a data-notification. The date-time is taken as the standard has it, an octet string
// without a tag, and with the tag of an octet-string or a date-time, as meters send it; where it is missing with even
// its flag, the body begins at once.
func ParseDataNotification(b []byte) (n DataNotification, err error) {
	r := newReader(b, TagDataNotification)
	n.InvokeID = LongInvokeID(r.u32("long-invoke-id-and-priority"))
	n.Time = r.looseDateTime()
	if r.err == nil && len(r.b) == 0 {
		r.octets(1, "notification-body")
	}
	n.Body = r.b
	return n, r.err
}

// looseDateTime reads the date-time in front of the body of a data-notification.
func (r *reader) looseDateTime() []byte {
	if r.err != nil || len(r.b) == 0 {
		r.octets(1, "date-time")
		return nil
	}
	switch {
	case r.b[0] == 0:
		r.octets(1, "date-time")
		return nil
	case r.b[0] == dateTimeOctets, axdr.Tag(r.b[0]) == axdr.TagDateTime:
		r.octets(1, "date-time")
		return r.octets(dateTimeOctets, "date-time")
	case len(r.b) > 1 && axdr.Tag(r.b[0]) == axdr.TagOctetString && r.b[1] == dateTimeOctets:
		r.octets(2, "date-time")
		return r.octets(dateTimeOctets, "date-time")
	default:
		return nil
	}
}

// Append appends the data-notification, its date-time as the standard has it.
func (n *DataNotification) Append(b []byte) ([]byte, error) {
	if len(n.Time) != 0 && len(n.Time) != dateTimeOctets {
		return b, fmt.Errorf("data-notification: date-time of %d octets, want 12", len(n.Time))
	}
	b = appendU32(append(b, uint8(TagDataNotification)), uint32(n.InvokeID))
	return append(appendOctets(b, n.Time), n.Body...), nil
}

// AppendDataNotificationConfirm appends the answer to a confirmed data-notification.
func AppendDataNotificationConfirm(b []byte, id LongInvokeID) []byte {
	return appendU32(append(b, uint8(TagDataNotificationConfirm)), uint32(id))
}

// EventNotification is EventNotification of logical-name referencing (Green Book Ed. 9, 9.3.9).
type EventNotification struct {
	Time      []byte // the 12 octets of its date-time, a view; nil: none
	Attribute cosem.Attribute
	Value     axdr.Data
}

// ParseEventNotification reads an event-notification. Its date-time may also
// have a tag in place of the flag, as some meters send it.
func ParseEventNotification(b []byte) (n EventNotification, err error) {
	r := newReader(b, TagEventNotification)
	if r.err == nil && len(r.b) > 1 && axdr.Tag(r.b[0]) == axdr.TagOctetString && r.b[1] == dateTimeOctets {
		n.Time = r.looseDateTime()
	} else if r.flag("time") {
		n.Time = r.timeOctets()
	}
	n.Attribute.Class = cosem.ClassID(r.u16("class-id"))
	n.Attribute.Instance, _ = obis.FromOctets(r.octets(6, "instance-id"))
	n.Attribute.ID = int8(r.u8("attribute-id"))
	n.Value = r.data("attribute-value")
	return n, r.end()
}

// timeOctets reads a length and as many octets; only a date-time counts.
func (r *reader) timeOctets() []byte {
	if c := r.octets(r.length("time"), "time"); len(c) == dateTimeOctets {
		return c
	}
	return nil
}

// Append appends the event-notification.
func (n *EventNotification) Append(b []byte) ([]byte, error) {
	b = append(b, uint8(TagEventNotification))
	if len(n.Time) == dateTimeOctets {
		b = appendOctets(append(b, 1), n.Time)
	} else {
		b = append(b, 0)
	}
	b = appendU16(b, uint16(n.Attribute.Class))
	b = append(append(b, n.Attribute.Instance[:]...), uint8(n.Attribute.ID))
	return append(b, n.Value...), nil
}

// InformationReport is InformationReport of short-name referencing (Green Book Ed. 9, 9.3.17). Names and values are
// views that stand in the order of each other.
type InformationReport struct {
	Time   []byte // the 12 octets of its date-time; nil: none, or in another form
	Names  []uint16
	Values []axdr.Data
}

// leastReport is the octets of the smallest name of an information-report.
const leastReport = 3

// ParseInformationReport reads an information-report.
func ParseInformationReport(b []byte) (n InformationReport, err error) {
	r := newReader(b, TagInformationReport)
	if r.flag("current-time") {
		n.Time = r.timeOctets()
	}
	for range r.count(leastReport, "variable-access-specification") {
		if c := AccessChoice(r.u8("choice")); r.err == nil && c != VariableName {
			r.fail(fmt.Sprintf("choice %d, only %d (variable-name) is known here", c, VariableName))
		}
		n.Names = append(n.Names, r.u16("variable-name"))
	}
	at := r.size - len(r.b)
	if count := r.count(1, "list-of-data"); r.err == nil && count != len(n.Names) {
		r.failAt(at, fmt.Sprintf("%d values for %d names", count, len(n.Names)), nil)
	}
	for range n.Names {
		n.Values = append(n.Values, r.data("value"))
	}
	if err := r.end(); err != nil {
		return InformationReport{}, err
	}
	return n, nil
}

// Append appends the information-report.
func (n *InformationReport) Append(b []byte) ([]byte, error) {
	if len(n.Names) != len(n.Values) {
		return b, fmt.Errorf("information-report with %d values for %d names", len(n.Values), len(n.Names))
	}
	b = append(b, uint8(TagInformationReport))
	if len(n.Time) == dateTimeOctets {
		b = appendOctets(append(b, 1), n.Time)
	} else {
		b = append(b, 0)
	}
	b = axdr.AppendLength(b, len(n.Names))
	for _, name := range n.Names {
		b = appendU16(append(b, uint8(VariableName)), name)
	}
	b = axdr.AppendLength(b, len(n.Values))
	for _, d := range n.Values {
		b = append(b, d...)
	}
	return b, nil
}
