package dlms_cosem

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// memory is what has been learned about a device, shared by the requests that
// reach it by the same addresses. It belongs to the goroutine of its link.
type memory struct {
	learned

	key     string
	loaded  bool
	dirty   bool // what is kept in the state has changed
	version int  // counts the changes that plans depend on

	refused map[cosem.Attribute]refusal // not asked for until a day has passed; forgotten at the end of the program
	asked   map[string]bool             // counters that were asked for, well or in vain
	raws    map[*item]float64           // the last number of the meter other than 0, before its scaler
	turn    int                         // of the scaler to be read again next
	apart   int                         // runs since one was read again at the price of a message
	failing bool                        // the state did not take what was learned
}

// learned is the part of a memory that outlives the program.
type learned struct {
	Name       string                            `json:"name,omitempty"`       // logical device name, else system title, as hexadecimal digits
	Firmware   string                            `json:"firmware,omitempty"`   // active firmware identifier, likewise
	Inactivity *int                              `json:"inactivity,omitempty"` // seconds after which the meter forgets an idle association; 0: never
	Scalers    map[attributeKey]cosem.ScalerUnit `json:"scalers,omitempty"`
	ScalersAt  time.Time                         `json:"scalers_at,omitzero"`
	Classes    map[attributeKey]cosem.ClassID    `json:"classes,omitempty"` // found for an attribute of the class that was guessed
	Untold     map[attributeKey]time.Time        `json:"untold,omitempty"`  // what the meter does not say about itself, and when it is asked again
	Link       dlms.Learned                      `json:"link,omitzero"`
	Baud       int                               `json:"baud,omitempty"` // of the last session after a sign-on
	LinkAt     time.Time                         `json:"link_at,omitzero"`
	Proposal   proposal                          `json:"proposal,omitzero"`  // what the meter agreed to, where it did not to the usual
	Inverted   bool                              `json:"inverted,omitempty"` // the clock's deviation has the other sign
	Names      cosem.ShortNames                  `json:"names,omitempty"`    // the object list, in short-name referencing
}

// attributeKey is an attribute as a key in the state: "3/1.0.1.8.0.255/2".
type attributeKey cosem.Attribute

func (k attributeKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%s/%d", uint16(k.Class), k.Instance, k.ID), nil
}

func (k *attributeKey) UnmarshalText(text []byte) error {
	bad := fmt.Errorf("%q is no attribute", text)
	parts := strings.Split(string(text), "/")
	if len(parts) != 3 {
		return bad
	}
	class, err1 := strconv.ParseUint(parts[0], 10, 16)
	code, err2 := obis.Parse(parts[1])
	id, err3 := strconv.ParseInt(parts[2], 10, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		return bad
	}
	*k = attributeKey{Class: cosem.ClassID(class), Instance: code, ID: int8(id)}
	return nil
}

// refusal is why something is not asked for.
type refusal struct {
	err   error
	until time.Time
}

const (
	refusalTime = 24 * time.Hour // between two attempts to read what was refused for good
	limitTime   = 24 * time.Hour // after which a limit is tried at its double
	namelessFor = 24 * time.Hour // how long the scalers of a meter that tells no name are trusted

	longestList = 127  // attributes in a list
	longestInfo = 2030 // octets of an HDLC information field

	metersBucket = "meters"
)

func newMemory(key string) *memory {
	return &memory{key: key, refused: map[cosem.Attribute]refusal{}, raws: map[*item]float64{},
		turn: rand.IntN(math.MaxInt16)} //nolint:gosec // no secret: programs that are started for each run must not all begin with the same scaler
}

// keeper is where a memory is kept: the state file.
type keeper interface {
	Load(bucket, key string, v any) (found bool, err error)
	Save(bucket, key string, v any) error
}

// load reads what earlier runs of the program have learned, once.
func (m *memory) load(k keeper) error {
	if m.loaded {
		return nil
	}
	m.loaded = true
	found, err := k.Load(metersBucket, m.key, &m.learned)
	if err != nil || !found || !m.Names.Valid() {
		m.learned = learned{}
	}
	m.makeMaps()
	return err
}

func (l *learned) makeMaps() {
	if l.Scalers == nil {
		l.Scalers = map[attributeKey]cosem.ScalerUnit{}
	}
	if l.Classes == nil {
		l.Classes = map[attributeKey]cosem.ClassID{}
	}
	if l.Untold == nil {
		l.Untold = map[attributeKey]time.Time{}
	}
}

// tells reports whether it is worth asking what the meter says about itself.
func (m *memory) tells(at cosem.Attribute) bool {
	_, no := m.Untold[attributeKey(at)]
	return !no
}

// save keeps what has changed. An error is returned once, until it is over.
func (m *memory) save(k keeper) error {
	if !m.dirty {
		return nil
	}
	err := k.Save(metersBucket, m.key, &m.learned)
	if err == nil {
		m.dirty, m.failing = false, false
		return nil
	}
	if m.failing {
		return nil
	}
	m.failing = true
	return err
}

// changed notes that something was learned.
func (m *memory) changed() {
	m.dirty = true
	m.version++
}

// age forgets what may not be believed for ever, and gives limits another try.
func (m *memory) age(now time.Time) {
	if m.Name == "" && len(m.Scalers) > 0 && now.Sub(m.ScalersAt).Abs() >= namelessFor {
		m.Names = nil
		m.forgetScalers()
	}
	if m.Link != (dlms.Learned{}) && now.Sub(m.LinkAt).Abs() >= limitTime {
		m.Link.ListMax = doubled(m.Link.ListMax, longestList)
		m.Link.MaxInfo = doubled(m.Link.MaxInfo, longestInfo)
		m.Link.SNRM = dlms.SNRMAuto
		m.LinkAt = now
		m.changed()
	}
	for at, until := range m.Untold {
		if !now.Before(until) {
			delete(m.Untold, at)
			m.dirty = true
		}
	}
	for at, r := range m.refused {
		if !now.Before(r.until) {
			delete(m.refused, at)
			m.version++
			if unlisted(r.err) {
				m.Names = nil // it may have been added
			}
		}
	}
}

// doubled is twice a limit; 0, which is none, from the most that there can be on.
func doubled(limit, most int) int {
	if limit *= 2; limit >= most {
		return 0
	}
	return limit
}

// forgetScalers has all scalers and units read anew.
func (m *memory) forgetScalers() {
	clear(m.Scalers)
	clear(m.raws)
	m.changed()
}

// forget forgets all: it was another meter that had it.
func (m *memory) forget() {
	m.learned = learned{Proposal: m.Proposal} // who answers has just agreed to it
	m.makeMaps()
	clear(m.refused)
	clear(m.raws)
	m.changed()
}

// learnLink takes over what the connection has found out.
func (m *memory) learnLink(l dlms.Learned, now time.Time) {
	if l != m.Link {
		m.Link, m.LinkAt = l, now
		m.changed()
	}
}

// learnScaler takes note of a scaler and unit, or that there is none to be had.
func (m *memory) learnScaler(at cosem.Attribute, r scalerReading, now time.Time) {
	known, have := m.Scalers[attributeKey(at)]
	switch {
	case r.err == nil && have && known == r.su:
	case r.err == nil:
		if len(m.Scalers) == 0 {
			m.ScalersAt = now
		}
		m.Scalers[attributeKey(at)] = r.su
		m.changed()
	case refusedForGood(r.err):
		if have {
			delete(m.Scalers, attributeKey(at))
			m.changed()
		}
		m.refuse(at, r.err, now)
	default:
	}
}

// refuse has an attribute left alone for a day.
func (m *memory) refuse(at cosem.Attribute, err error, now time.Time) {
	m.refused[at] = refusal{err: err, until: now.Add(refusalTime)}
	m.version++
}

// learnClass takes note of the class that an object turned out to have.
func (m *memory) learnClass(guess cosem.Attribute, class cosem.ClassID) {
	if class == guess.Class {
		if _, have := m.Classes[attributeKey(guess)]; !have {
			return
		}
		delete(m.Classes, attributeKey(guess))
	} else {
		m.Classes[attributeKey(guess)] = class
	}
	m.changed()
}

// class is what an attribute of that class is to be read as.
func (m *memory) class(guess cosem.Attribute) cosem.ClassID {
	if c, ok := m.Classes[attributeKey(guess)]; ok {
		return c
	}
	if listed := m.Names.Find(guess.Instance); len(listed) > 0 && !slices.ContainsFunc(listed, func(n cosem.ShortName) bool { return n.Class == guess.Class }) {
		return listed[0].Class
	}
	return guess.Class
}

// refusedForGood reports whether a meter that refuses so will do it again: it
// does not have the object, not as this class, or not for this client.
func refusedForGood(err error) bool {
	result, ok := refusedWith(err)
	return ok && slices.Contains([]xdlms.DataAccessResult{xdlms.ReadWriteDenied, xdlms.ObjectUndefined,
		xdlms.ObjectClassInconsistent, xdlms.TypeUnmatched, xdlms.ScopeOfAccessViolated}, result)
}

// refusedWith returns the meter's data-access-result.
func refusedWith(err error) (xdlms.DataAccessResult, bool) {
	var access *dlms.AccessError
	if !errors.As(err, &access) {
		return 0, false
	}
	return access.Result, true
}
