package dlms_cosem

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// read is one attribute, and the items that are made of it.
type read struct {
	at      cosem.Attribute // as the class that it turned out to have
	guess   cosem.Attribute // as the class that was guessed, or is configured
	guessed bool            // others may be tried
	items   []int           // items whose value it is
	capture []int           // items whose capture time it is
}

// reads is what has to be read from a device for the items of a request, by
// what is known about the device.
type reads struct {
	version int // of the memory that it was made of

	list    []read
	scalers []cosem.Attribute // scalers and units of their values, each once
	refused map[int]error     // items that are left out for the time being
	names   cosem.ShortNames  // of short-name referencing
}

// planReads lists what has to be read: each attribute once. What the meter has
// refused for good is left out for a day.
func (r *request) planReads(m *memory) *reads {
	p := &reads{version: m.version, refused: map[int]error{}, names: r.shortNames(m)}
	index := map[cosem.Attribute]int{}
	at := func(guess cosem.Attribute, guessed bool) *read {
		i, ok := index[guess]
		if !ok {
			i = len(p.list)
			index[guess] = i
			p.list = append(p.list, read{at: guess, guess: guess, guessed: true})
		}
		rd := &p.list[i]
		rd.guessed = rd.guessed && guessed
		if rd.guessed {
			rd.at.Class = m.class(guess)
		} else {
			rd.at = guess
		}
		return rd
	}
	scalers := map[cosem.Attribute]bool{}
	for i, it := range r.items {
		if err := m.refusedItem(it); err != nil {
			p.refused[i] = err
			continue
		}
		rd := at(it.attribute(it.class), !it.classSet)
		rd.items = append(rd.items, i)
	}
	for i := range p.list { // the classes are final now
		rd := p.list[i]
		for _, k := range rd.items {
			it := r.items[k]
			if a, ok := it.captureAttribute(rd.at.Class); ok {
				c := at(a, true)
				c.capture = append(c.capture, k)
			}
			if a, ok := it.scalerAttribute(rd.at.Class); ok && !scalers[a] {
				scalers[a] = true
				p.scalers = append(p.scalers, a)
			}
		}
	}
	return p
}

// refusedItem returns why an item need not be asked for today: the meter has
// refused it for good, or its scaler and unit, without which there is no value.
func (m *memory) refusedItem(it *item) error {
	if len(m.refused) == 0 {
		return nil
	}
	at := it.attribute(it.class)
	if r, ok := m.refused[at]; ok {
		return r.err
	}
	if !it.classSet {
		at.Class = m.class(at)
	}
	if scaler, ok := it.scalerAttribute(at.Class); ok && it.scaler == nil {
		if r, ok := m.refused[scaler]; ok {
			return &scalerError{at: scaler, err: r.err}
		}
	}
	return nil
}

// missingScalers lists those that are not known.
func (p *reads) missingScalers(m *memory) []cosem.Attribute {
	var list []cosem.Attribute
	for _, at := range p.scalers {
		if _, known := m.Scalers[attributeKey(at)]; known {
			continue
		}
		if _, refused := m.refused[at]; refused {
			continue
		}
		list = append(list, at)
	}
	return list
}

// nextScaler is one of those that are known, in rotation.
func (p *reads) nextScaler(m *memory) (at cosem.Attribute, ok bool) {
	for range p.scalers {
		at = p.scalers[m.turn%len(p.scalers)]
		m.turn++
		if _, known := m.Scalers[attributeKey(at)]; known {
			return at, true
		}
	}
	return at, false
}
