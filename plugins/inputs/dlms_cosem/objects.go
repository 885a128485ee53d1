package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// An Object is an element of a meter's object list, for people and programs.
type Object struct {
	OBIS      string  `json:"obis"`
	Name      string  `json:"name,omitempty"` // what the code means; empty if the standard does not say
	Class     uint16  `json:"class"`
	ClassName string  `json:"class_name"`
	Version   uint8   `json:"version"`
	BaseName  *uint16 `json:"base_name,omitempty"` // in short-name referencing
	Attribute int     `json:"attribute,omitempty"` // of the value; 0: the object has no single one
	Type      string  `json:"type,omitempty"`      // of the data
	Unit      string  `json:"unit,omitempty"`
	Scaler    *int    `json:"scaler,omitempty"`
	Value     any     `json:"value,omitempty"` // float64, string or bool
	Text      string  `json:"text,omitempty"`  // the value for people, without its unit
	Reason    string  `json:"error,omitempty"` // why there is no value

	hint string
}

// Hint says in plain words what to do about the Reason; "" if there is nothing
// to add.
func (o *Object) Hint() string { return o.hint }

// ObjectsOptions say what Objects reads.
type ObjectsOptions struct {
	Values bool // the current values, too
	// Progress, if set, is called with the number of objects read so far, and that of all: 0 while the list itself is read.
	Progress func(done, all int)
}

const (
	objectsBucket = "objects"
	objectsChunk  = 16             // objects that are read between two savings
	objectsFresh  = 24 * time.Hour // how old a reading that was interrupted may be to be gone on with
)

// inventory is an object list that is being read, as it is kept in the state.
type inventory struct {
	Meter   string    `json:"meter"` // its logical device name
	At      time.Time `json:"at"`
	Values  bool      `json:"values"`
	Objects []Object  `json:"objects"`
	Read    int       `json:"read"` // so many of them are done
}

// Objects reads the object list of the association of the first request, on its
// first device, and scalers, units and values of the objects. What is denied is
// in the list with the reason. If it is interrupted, the next call goes on from
// there. The error says why the list could not be read, or not all of the
// objects; those that were are returned.
func (d *DLMS) Objects(ctx context.Context, how ObjectsOptions) ([]Object, error) {
	if len(d.requests) == 0 {
		return nil, errors.New("there is no request")
	}
	closeState := d.openState()
	defer closeState()
	r := d.requests[0]
	if r.timeoutGiven {
		limited, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		ctx = limited
	}
	l := newLink(d, r.endpoint, newOutput(nil))
	l.out.close()
	l.add(r)
	defer l.hangUp()
	x := &explorer{session: &session{l: l, r: r, st: l.queue[0].list[0], o: &outcome{}, keepRaw: true}, how: how}
	if how.Progress == nil {
		x.how.Progress = func(int, int) {}
	}
	err := x.explore(ctx)
	return x.Objects, err
}

// explorer reads an object list.
type explorer struct {
	*session
	inventory
	how   ObjectsOptions
	login dlms.AssociationConfig
}

func (x *explorer) explore(ctx context.Context) error {
	var err error
	if x.login, x.o.password, err = x.r.login(); err != nil {
		return err
	}
	x.memory().makeMaps() // people are shown what the meter says now, not what was learned
	if err := x.open(ctx, 0, x.login); err != nil {
		return err
	}
	if err := x.list(ctx); err != nil {
		x.end(ctx, err)
		return err
	}
	for x.Read < len(x.Objects) {
		x.how.Progress(x.Read, len(x.Objects))
		next := min(x.Read+objectsChunk, len(x.Objects))
		err := x.readChunk(ctx, x.Objects[x.Read:next])
		if err != nil && ctx.Err() == nil { // the meter may have had enough of us
			x.end(ctx, err)
			if err = x.open(ctx, 0, x.login); err == nil {
				err = x.readChunk(ctx, x.Objects[x.Read:next])
			}
		}
		if err != nil {
			if x.as != nil {
				x.end(ctx, err)
			}
			return fmt.Errorf("%d of %d objects were read; to go on, run this again: %w", x.Read, len(x.Objects), err)
		}
		x.Read = next
		if x.Read < len(x.Objects) {
			_ = x.l.d.kept.Save(objectsBucket, x.key(), &x.inventory) // else the next call begins anew
		}
	}
	x.how.Progress(x.Read, len(x.Objects))
	x.end(ctx, nil)
	_ = x.l.d.kept.Save(objectsBucket, x.key(), &inventory{}) // it is done
	return nil
}

func (x *explorer) key() string { return x.r.memoryKey(x.st.device) }

// list reads the list, or takes over what was read of this meter before.
func (x *explorer) list(ctx context.Context) error {
	if x.r.association.short {
		names, err := x.as.ReadNames(ctx)
		if err != nil {
			return &namesError{err}
		}
		x.memory().Names = names
		for i := range names.Len() {
			n := names.At(i)
			o := newObject(cosem.Object{Class: n.Class, Version: n.Version, Instance: n.Instance})
			o.BaseName = &n.Base
			x.Objects = append(x.Objects, o)
		}
	} else if err := x.listLN(ctx); err != nil {
		return err
	}
	x.Values, x.At = x.how.Values, time.Now()
	if d, err := x.as.Get(ctx, nameAttribute(), nil); err == nil {
		x.Meter = identityText(d)
	} else if x.lost(ctx) {
		return err
	}
	var before inventory
	found, err := x.l.d.kept.Load(objectsBucket, x.key(), &before)
	if err == nil && found && x.Meter != "" && before.Meter == x.Meter && before.Values == x.Values &&
		len(before.Objects) == len(x.Objects) && before.Read <= len(x.Objects) && time.Since(before.At).Abs() < objectsFresh {
		x.inventory = before
	}
	return nil
}

func (x *explorer) listLN(ctx context.Context) error {
	at := cosem.Attribute{Class: cosem.AssociationLN, Instance: obis.Code{0, 0, 40, 0, 0, 255}, ID: 2}
	unreadable := 0
	err := x.as.GetRows(ctx, at, nil, func(row axdr.Data) error {
		o, err := cosem.ParseObject(row)
		if err != nil {
			unreadable++
			return nil
		}
		x.Objects = append(x.Objects, newObject(o))
		x.how.Progress(len(x.Objects), 0)
		return nil
	})
	if err != nil {
		return &namesError{err}
	}
	if unreadable > 0 {
		x.l.d.Log.Warnf("%s: %s of the object list could not be read and are left out", x.r.where(x.st.device), counted(unreadable, "element"))
	}
	return nil
}

// scalarAttribute is the attribute that holds the value of an object of a class,
// 0 if none does.
func scalarAttribute(class cosem.ClassID) int {
	switch class {
	case cosem.Data, cosem.Register, cosem.ExtendedRegister, cosem.DemandRegister, cosem.Clock, cosem.DisconnectControl:
		return 2
	default:
		return 0
	}
}

func newObject(o cosem.Object) Object {
	x := Object{OBIS: o.Instance.String(), Name: o.Instance.Describe(), Class: uint16(o.Class), ClassName: o.Class.String(), Version: o.Version}
	x.Attribute = scalarAttribute(o.Class)
	for _, a := range o.Attributes {
		if int(a.ID) == x.Attribute && !a.Mode.Readable() {
			x.Reason = fmt.Sprintf("this client may not read it (access mode %d)", a.Mode)
			x.hint = seesLittle
		}
	}
	return x
}

// readChunk reads what there is to read of some objects.
func (x *explorer) readChunk(ctx context.Context, objects []Object) error {
	r := *x.r
	r.items = nil
	var of []*Object
	for i := range objects {
		o := &objects[i]
		if o.Attribute == 0 || o.Reason != "" {
			continue
		}
		class := int(o.Class)
		r.items = append(r.items, buildItem(scope{p: &problems{}}, &Item{OBIS: o.OBIS, Class: &class, Attribute: &o.Attribute}, false))
		of = append(of, o)
	}
	if len(of) == 0 {
		return nil
	}
	all := x.r
	defer func() { x.r, x.st.plan = all, nil }()
	x.r, x.st.plan = &r, nil
	if err := x.readItems(ctx); err != nil {
		return err
	}
	for i, o := range of {
		it := r.items[i]
		if at, ok := it.scalerAttribute(it.class); ok {
			if su := x.scalerReading(at); su.err == nil {
				scaler := int(su.su.Scaler)
				o.Scaler, o.Unit = &scaler, su.su.Unit.Symbol()
			}
		}
		if x.how.Values {
			o.take(newReading(it, x.st.device, &x.readings[i]))
		}
	}
	return nil
}

// readItems reads the values of the request's items, or only their scalers and
// units.
func (x *explorer) readItems(ctx context.Context) error {
	if x.how.Values {
		if err := x.read(ctx); err != nil {
			return err
		}
		o := *x.o
		x.conclude(nil)
		*x.o = o
		return nil
	}
	x.scalers = map[cosem.Attribute]scalerReading{}
	x.begin()
	var list []ask
	for _, at := range x.plan.missingScalers(x.memory()) {
		list = append(list, ask{at: at, what: askScaler})
	}
	if len(list) == 0 {
		return nil
	}
	err := x.askFor(ctx, list)
	x.learnScalers()
	return err
}

// take takes over what was read.
func (o *Object) take(r Reading) {
	o.Type, o.Value, o.Text = r.Type, r.Value, r.Text
	if r.Unit != "" {
		o.Unit = r.Unit
	}
	if r.Err != nil {
		o.Reason, o.hint = strings.ReplaceAll(r.Err.Error(), "\n", "; "), Hint(r.Err)
		o.Value, o.Text = nil, ""
	}
}
