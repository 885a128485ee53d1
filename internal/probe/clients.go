package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// clients lists those that are usual: public, reader, management, and others.
func (p *prober) clients() []uint16 {
	if p.cfg.Client > 0 {
		return []uint16{p.cfg.Client}
	}
	return []uint16{publicClient, lowClient, 1, 48, 2, 17, 33, 100, 102}
}

// findClients asks which clients the meter lets in, and how.
func (p *prober) findClients(ctx context.Context) error {
	for _, client := range p.clients() {
		if err := ctx.Err(); err != nil {
			return err
		}
		tried := fmt.Sprintf("client %d without a password", client)
		access, err := p.ask(ctx, login{client: client, short: p.short})
		if err != nil && p.otherReferencing(err) {
			p.say(Note{Tried: tried, Err: err})
			p.short = !p.short
			tried += map[bool]string{true: ", short names", false: ", logical names"}[p.short]
			access, err = p.ask(ctx, login{client: client, short: p.short})
			if access == Unknown || access == Ciphered {
				p.short = !p.short
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.r.ShortNames = p.short
		if access == Unknown && p.cfg.Client == 0 && !answered(err) {
			p.say(Note{Tried: tried, Err: err})
			continue
		}
		if access != Unknown || p.cfg.Client > 0 {
			p.r.Clients = append(p.r.Clients, Client{client, access})
		}
		if access == Open {
			p.say(Note{Tried: tried, Found: "it may read"})
			if p.r.Best.Access == Unknown {
				p.r.Best = Client{client, Open}
			}
		} else {
			p.say(Note{Tried: tried, Err: err})
		}
	}
	return p.tryPassword(ctx)
}

// tryPassword sends the password that was given to one client, once: meters lock
// after some wrong ones.
func (p *prober) tryPassword(ctx context.Context) error {
	if p.cfg.Password == nil || p.used {
		return nil
	}
	client := p.cfg.Client
	for _, c := range p.r.Clients {
		if client == 0 && c.Access == Password {
			client = c.Address
		}
	}
	if client == 0 {
		client = lowClient
	}
	p.used = true
	access, err := p.ask(ctx, login{client: client, short: p.short, password: p.cfg.Password})
	tried := fmt.Sprintf("client %d with the password", client)
	if access != Open {
		p.say(Note{Tried: tried, Err: err})
		return ctx.Err()
	}
	p.say(Note{Tried: tried, Found: "it may read"})
	p.r.Best = Client{client, Low}
	for i := range p.r.Clients {
		if p.r.Clients[i].Address == client {
			p.r.Clients[i].Access = Low
			return nil
		}
	}
	p.r.Clients = append(p.r.Clients, p.r.Best)
	return nil
}

// ask associates, and says what that shows of the client.
func (p *prober) ask(ctx context.Context, how login) (Access, error) {
	as, err := p.associate(ctx, p.r.Way, p.r.Address, how)
	if err == nil {
		p.release(ctx, p.r.Way, as)
		return Open, nil
	}
	var reject *dlms.RejectError
	if !errors.As(err, &reject) || reject.Diagnostic.Source != acse.ServiceUser {
		return Unknown, err
	}
	switch reject.Diagnostic.Code {
	case acse.DiagnosticMechanismRequired, acse.DiagnosticMechanismNotRecognised, acse.DiagnosticAuthenticationFailure:
		return Password, err
	case acse.DiagnosticAuthenticationRequired:
		return High, err
	case acse.DiagnosticContextNotSupported:
		return Ciphered, err
	default:
		return Unknown, err
	}
}

// otherReferencing reports whether the meter may want names of the other kind.
func (p *prober) otherReferencing(err error) bool {
	var reject *dlms.RejectError
	return p.cfg.ShortNames == nil && p.cfg.Network != "udp" && errors.As(err, &reject) &&
		(reject.OtherReferencing || reject.Diagnostic == acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticContextNotSupported})
}

// identify reads who the meter is, and what it has agreed to.
func (p *prober) identify(ctx context.Context) error {
	how := login{client: p.r.Best.Address, short: p.short, full: true}
	if p.r.Best.Access == Low {
		how.password = p.cfg.Password // it was right
	}
	as, err := p.associate(ctx, p.r.Way, p.r.Address, how)
	if err != nil {
		return err
	}
	defer p.release(ctx, p.r.Way, as)
	p.r.MaxPDU, p.r.Conformance = as.Parameters().MaxPDU, as.Parameters().Conformance
	if frames, ok := p.conn.Negotiated(); ok {
		p.r.MaxInfo, p.r.Window = int(frames.MaxInfoReceive), int(frames.WindowReceive)
	}
	text := func(class cosem.ClassID, code obis.Code) string {
		d, err := as.Get(ctx, cosem.Attribute{Class: class, Instance: code, ID: 2}, nil)
		if err != nil {
			return ""
		}
		return shown(d)
	}
	p.r.Name = text(cosem.Data, obis.Code{0, 0, 42, 0, 0, 255})
	if !p.short {
		p.r.Serial = text(cosem.Data, obis.Code{0, 0, 96, 1, 0, 255})
		p.r.Firmware = text(cosem.Data, obis.Code{1, 0, 0, 2, 0, 255})
	}
	list, err := as.Get(ctx, cosem.Attribute{Class: cosem.SAPAssignment, Instance: obis.Code{0, 0, 41, 0, 0, 255}, ID: 2}, nil)
	if err == nil {
		for e := range list.All() {
			sap, _ := e.Element(0)
			name, _ := e.Element(1)
			n, ok := sap.Int64()
			if ok && len(p.r.Devices) < 100 {
				p.r.Devices = append(p.r.Devices, strings.TrimSpace(fmt.Sprintf("%d %s", n, shown(name))))
			}
		}
	}
	return nil
}

// shown is a text of a meter for people.
func shown(d axdr.Data) string {
	b, ok := d.Octets()
	if !ok {
		if n, ok := d.Int64(); ok {
			return fmt.Sprint(n)
		}
		return ""
	}
	b = []byte(strings.TrimRight(string(b), "\x00 "))
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%X", b)
		}
	}
	if len(b) > 64 {
		b = b[:64]
	}
	return string(b)
}
