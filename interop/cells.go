package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// jdlmsMeter are the cells in which the meter is on jDLMS, which has one framing and one way of referencing to test.
func jdlmsMeter() []cell {
	var list []cell
	for _, auth := range []string{"none", "low"} {
		l := link{framing: "wrapper", low: auth == "low", password: password}
		add := func(name string, run func(context.Context, *environment) (string, error)) {
			list = append(list, cell{peer: peer.JDLMS.Name, name: "LN wrapper " + auth + ", " + name, run: withMeter(peer.JDLMS, nil, l, run)})
		}
		add("single reads", singles)
		add("list reads", lists)
		add("our program's get", get)
		add("our program's objects", objects)
		if l.low {
			add("wrong password", wrongPassword)
			add("profile of 1,000 rows", profile)
			add("profile by entry", byEntry)
			list = append(list, cell{peer: peer.JDLMS.Name, name: "LN wrapper low, profile by range, summer time ends",
				run: withMeter(peer.JDLMS, summerEnds, l, byRange("Europe/Berlin"))})
		}
	}
	add := func(name string, run func(context.Context, *environment) (string, error)) {
		l := link{framing: "wrapper", secure: newProtection("high-gmac", "both")}
		list = append(list, cell{peer: peer.JDLMS.Name, name: "LN wrapper high-gmac, security both, " + name, run: withMeter(peer.JDLMS, nil, l, run)})
	}
	add("single reads", singles)
	add("list reads", lists)
	add("wrong keys", wrongKeys)
	return list
}

// wrongKeys knocks with each key wrong, at which this server hangs up, and then with the right ones.
func wrongKeys(ctx context.Context, e *environment) (string, error) {
	for _, change := range []func(p *protection){
		func(p *protection) { p.keys.EncryptionKey = altered(p.keys.EncryptionKey) },
		func(p *protection) { p.keys.AuthenticationKey = altered(p.keys.AuthenticationKey) },
	} {
		l, wrong := e.link, *e.link.secure
		l.secure = &wrong
		change(&wrong)
		s, err := l.open(ctx, 0)
		e.link.secure.counter = wrong.counter
		if err == nil {
			return "", errors.Join(errors.New("a wrong key was accepted"), s.close(ctx))
		}
	}
	return singles(ctx, e)
}

// guruxMeter are the cells in which the meter is on Gurux for Java.
func guruxMeter() []cell {
	var list []cell
	add := func(name string, run func(context.Context, *environment) (string, error), meter ...string) {
		list = append(list, cell{peer: peer.Gurux.Name, name: name, run: withMeter(peer.Gurux, slices.Clone(meter), linkOf(meter), run)})
	}
	for _, names := range []string{"ln", "sn"} {
		for _, framing := range []string{"hdlc", "wrapper"} {
			kind := strings.ToUpper(names) + " " + framing
			options := []string{"--referencing", names, "--framing", framing, "--auth"}
			for _, auth := range []string{"none", "low"} {
				meter := append(slices.Clone(options), auth, "--rows", "1000")
				add(kind+" "+auth+", single reads", singles, meter...)
				add(kind+" "+auth+", list reads", lists, meter...)
				add(kind+" "+auth+", our program's get", get, meter...)
				add(kind+" "+auth+", our program's objects", objects, meter...)
			}
			kind, meter := kind+" low", append(options, "low")
			add(kind+", meter without lists", noLists, append(meter, "--no-lists")...)
			add(kind+", profile of 1,000 rows in blocks", profile, meter...)
			add(kind+", profile by entry", byEntry, meter...)
			add(kind+", profile by range, summer time ends", byRange("Europe/Berlin"), append(meter, summerEnds...)...)
			for _, pdu := range []string{"128", "256"} {
				add(kind+", PDU of "+pdu+", lists", lists, append(meter, "--max-pdu", pdu)...)
				add(kind+", PDU of "+pdu+", profile of 1,000 rows", profile, append(meter, "--max-pdu", pdu)...)
			}
			add(kind+", wrong password", wrongPassword, meter...)
		}
	}
	for _, info := range []string{"128", "62"} {
		meter := []string{"--framing", "hdlc", "--auth", "low", "--max-info", info}
		add("LN hdlc low, "+info+"-octet frames, single reads", singles, meter...)
		add("LN hdlc low, "+info+"-octet frames, lists", lists, meter...)
		add("LN hdlc low, "+info+"-octet frames, profile of 1,000 rows", profile, meter...)
		add("LN hdlc low, "+info+"-octet frames, profile by entry", byEntry, meter...)
	}
	narrow := []string{"--framing", "hdlc", "--auth", "low", "--max-info"}
	add("LN hdlc low, 128-octet frames, profile by range", byRange("UTC"), append(slices.Clone(narrow), "128")...)
	add("LN hdlc low, 62-octet frames, profile by range in segments", inSegments(byRange("UTC")), append(slices.Clone(narrow), "62")...)
	add("LN hdlc low, round trips of 20 registers", roundTrips, "--framing", "hdlc", "--auth", "low")
	add("LN wrapper low, round trips of 20 registers", roundTrips, "--framing", "wrapper", "--auth", "low")
	return list
}

// singles reads attribute by attribute.
func singles(ctx context.Context, e *environment) (note string, err error) {
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	list, err := everything(e.meter.Contents)
	if err == nil {
		err = readSingly(ctx, s.association, list)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d attributes, %d round trips", len(list), s.conn.Stats().RoundTrips), nil
}

// readSingly reads and checks all one by one.
func readSingly(ctx context.Context, a *dlms.Association, list []expectation) error {
	for _, x := range list {
		d, err := a.Get(ctx, x.attribute, nil)
		if err == nil {
			err = x.check(d)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", x.attribute, err)
		}
	}
	return nil
}

// lists reads all with GetList, which must not have needed as many round trips as there are attributes.
func lists(ctx context.Context, e *environment) (string, error) {
	note, trips, err := list(ctx, e)
	if err == nil && trips > 30 {
		err = fmt.Errorf("%s: the lists were not read as such", note)
	}
	return note, err
}

// noLists reads with GetList from a meter whose conformance has no lists.
func noLists(ctx context.Context, e *environment) (string, error) {
	if e.link.short {
		return "", fmt.Errorf("%w: in short names this server grants lists whatever it is set to", errNotApplicable)
	}
	note, trips, err := list(ctx, e)
	if err == nil && trips < 50 {
		err = fmt.Errorf("%s: lists were asked for without being granted", note)
	}
	return note, err
}

func list(ctx context.Context, e *environment) (note string, trips int, err error) {
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	list, err := everything(e.meter.Contents)
	if err != nil {
		return "", 0, err
	}
	if err := readList(ctx, s.association, list); err != nil {
		return "", 0, err
	}
	trips = s.conn.Stats().RoundTrips
	return fmt.Sprintf("%d attributes, %d round trips, PDU %d", len(list), trips, s.association.Parameters().MaxPDU), trips, nil
}

// readList reads and checks all in lists.
func readList(ctx context.Context, a *dlms.Association, list []expectation) error {
	attributes := make([]cosem.Attribute, len(list))
	for i := range list {
		attributes[i] = list[i].attribute
	}
	calls := 0
	var wrong []error
	err := a.GetList(ctx, attributes, func(i int, d axdr.Data, err error) {
		calls++
		if err == nil {
			err = list[i].check(d)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", list[i].attribute, err))
		}
	})
	if err == nil && calls != len(list) {
		err = fmt.Errorf("%d results for %d attributes", calls, len(list))
	}
	return errors.Join(append(wrong, err)...)
}

// wrongPassword must be refused with result 1 and diagnostic 13.
func wrongPassword(ctx context.Context, e *environment) (string, error) {
	l := e.link
	l.password = "87654321"
	s, err := l.open(ctx, 0)
	if err == nil {
		return "", errors.Join(errors.New("a wrong password was accepted"), s.close(ctx))
	}
	var refused *dlms.RejectError
	want := acse.Diagnostic{Source: acse.ServiceUser, Code: 13}
	if !errors.As(err, &refused) || refused.Result != acse.RejectedPermanent || refused.Diagnostic != want {
		return "", fmt.Errorf("want result 1, diagnostic 13, got: %w", err)
	}
	// A meter that has refused must still take the right one, on a new connection.
	s, err = e.link.open(ctx, 0)
	if err != nil {
		return "", fmt.Errorf("right password after the wrong one: %w", err)
	}
	return refused.Error(), s.close(ctx)
}

// roundTrips counts, from SNRM to DISC, what 20 registers with scalers cost.
func roundTrips(ctx context.Context, e *environment) (string, error) {
	proxy, err := peer.StartProxy(e.meter.Address)
	if err != nil {
		return "", err
	}
	defer proxy.Stop()
	l := e.link
	l.endpoint = proxy.Address
	s, err := l.open(ctx, xdlms.Conformance(0))
	if err != nil {
		return "", err
	}
	list, err := registerValues(e.meter.Contents)
	if err == nil {
		err = readList(ctx, s.association, list)
	}
	if err := errors.Join(err, s.close(ctx)); err != nil {
		return "", err
	}
	counts := proxy.Counts()
	note := fmt.Sprintf("%d (target 6), %d octets up, %d down", counts.RoundTrips, counts.Up, counts.Down)
	if counts.RoundTrips > 6 {
		return "", errors.New(note)
	}
	return note, nil
}
