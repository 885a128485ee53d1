// Package simmeter is what a meter for tests and demonstrations measures.
//
// [New] makes a meter of a household with a small shop and solar panels: its
// energy is the integral of its power, its phases add up to its totals, its
// clock keeps local time. It is an answer to "what could a meter show", the
// same for the same seed.
//
//	meter := dlmstest.NewMeter(dlmstest.Config{}, simmeter.New(simmeter.Config{}))
//
// [Load] reads a file with fixed objects, for tests. See its documentation for
// the format of the file.
package simmeter

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// DefaultSerialNumber is the serial number of a simulated meter that was given
// none.
const DefaultSerialNumber = "10203040"

// Config makes one simulated meter differ from another. The zero value is good.
type Config struct {
	// Start is when the simulation starts; zero is the time of New. By then the
	// meter has been running for as long as its load profile reaches back, 40 days.
	Start time.Time

	// Now is the meter's clock; nil is time.Now. If it goes back, the
	// registers wait until it has caught up; only the clock object follows it.
	Now func() time.Time

	// Location is the time zone of the clock, the tariffs and the billing
	// periods; nil is time.Local.
	Location *time.Location

	// Seed makes another household; 0 is one made from the serial number.
	Seed uint64

	// SerialNumber is the number on the front plate; empty is
	// DefaultSerialNumber. The logical device name is made from it.
	SerialNumber string
}

// sap is a logical device of the meter: its address and name.
type sap struct {
	address uint16
	name    string
}

// Meter is a simulated meter. It implements dlmstest.Objects and may be used by
// several goroutines at once.
type Meter struct {
	now    func() time.Time
	loc    *time.Location
	start  time.Time
	serial string
	saps   []sap

	objects map[obis.Code]*object
	list    []*object // in the order of the object list

	mu      sync.Mutex
	model   *model
	latest  time.Time // of the registers
	valid   bool      // reading is that of latest
	reading reading
}

// NewDevices returns the logical devices of one simulated meter, with serial
// numbers that follow one another, by their addresses.
func NewDevices(addresses []uint16) map[uint16]*Meter {
	devices := map[uint16]*Meter{}
	var saps []sap
	for i, address := range addresses {
		first, _ := strconv.Atoi(DefaultSerialNumber)
		devices[address] = New(Config{SerialNumber: strconv.Itoa(first + i)})
		saps = append(saps, sap{address, devices[address].LogicalDeviceName()})
	}
	for _, d := range devices {
		d.saps = saps
	}
	return devices
}

// New returns a simulated meter.
func New(cfg Config) *Meter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Start.IsZero() {
		cfg.Start = cfg.Now()
	}
	if cfg.Location == nil {
		cfg.Location = time.Local
	}
	if cfg.SerialNumber == "" {
		cfg.SerialNumber = DefaultSerialNumber
	}
	if cfg.Seed == 0 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(cfg.SerialNumber))
		cfg.Seed = h.Sum64()
	}
	m := &Meter{
		now:     cfg.Now,
		loc:     cfg.Location,
		start:   cfg.Start,
		serial:  cfg.SerialNumber,
		objects: map[obis.Code]*object{},
		model:   newModel(cfg.Seed, cfg.Location, cfg.Start),
		latest:  cfg.Start,
	}
	m.saps = []sap{{1, m.LogicalDeviceName()}}
	for _, group := range [][]object{
		associationObjects(), identification(), clockObjects(), energies(), powers(),
		voltagesAndCurrents(), demands(), profiles(), services(),
	} {
		for i := range group {
			m.objects[group[i].code] = &group[i]
			m.list = append(m.list, &group[i])
		}
	}
	return m
}

// LogicalDeviceName is the name in 0.0.42.0.0.255: 16 characters, of which
// three are the manufacturer's and the last ones the serial number.
func (m *Meter) LogicalDeviceName() string {
	const length, manufacturer = 16, "SIM"
	name := fmt.Sprintf("%s%0*s", manufacturer, length-len(manufacturer), m.serial)
	return name[:len(manufacturer)] + name[len(name)-(length-len(manufacturer)):]
}

// Codes are the objects of the meter in the order of its object list.
func (m *Meter) Codes() []obis.Code {
	codes := make([]obis.Code, 0, len(m.list))
	for _, o := range m.list {
		codes = append(codes, o.code)
	}
	return codes
}

// Get appends the value of an attribute (dlmstest.Objects).
func (m *Meter) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	o, ok := m.objects[at.Instance]
	switch {
	case !ok:
		return b, xdlms.ObjectUndefined
	case o.class != at.Class:
		return b, xdlms.ObjectClassInconsistent
	case at.ID == 1:
		return axdr.AppendOctetString(b, o.code[:]), xdlms.Success
	}
	a, ok := o.attribute(at.ID)
	switch {
	case !ok:
		return b, xdlms.ReadWriteDenied
	case sel != nil && a.selected == nil:
		return b, xdlms.TypeUnmatched
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.call(client)
	if a.selected != nil {
		return a.selected(c, sel, b)
	}
	return a.append(c, b), xdlms.Success
}

// call reads the meter for one attribute.
func (m *Meter) call(client uint16) *call {
	now := m.now()
	if now.After(m.latest) {
		m.latest, m.valid = now, false
	}
	if !m.valid {
		m.reading = m.model.at(m.latest)
		m.valid = true
	}
	return &call{Meter: m, client: client, clock: now.In(m.loc), reading: &m.reading}
}

// call is what the value of an attribute is made from.
type call struct {
	*Meter
	*reading
	client uint16
	clock  time.Time // what the clock shows; the registers may be ahead of it
}

// object is one COSEM object.
type object struct {
	class      cosem.ClassID
	version    uint8
	code       obis.Code
	attributes []attribute // without the logical name
}

// attribute is one attribute of an object. Its value is that of selected if
// this is set, which also serves selective access, else that of append.
type attribute struct {
	id       int8
	append   func(c *call, b []byte) []byte
	selected func(c *call, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult)
}

func (o *object) attribute(id int8) (attribute, bool) {
	for _, a := range o.attributes {
		if a.id == id {
			return a, true
		}
	}
	return attribute{}, false
}
