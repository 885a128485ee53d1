package dlms

import (
	"bytes"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// An Opener opens general-ciphering that comes unasked, under whatever key it
// names: the global one, one that is wrapped by the master key, or one that its
// sender has agreed on with our static keys (Green Book Ed. 9, clause
// 9.2.7.2.4). It is not safe for concurrent use.
type Opener struct {
	x    *secured
	ours []byte // our title, if it is not told
}

// NewOpener makes an Opener. Of s the Keys, the MasterKey and, in Public, the
// keys of the meter and our own key for agreement count; Title is what senders
// call us, if they do not say it.
func NewOpener(s Security) (*Opener, error) {
	context, err := security.NewContext(s.Keys)
	if err != nil {
		return nil, err
	}
	ours := s.Title
	s.Title = nil // it is whom a telegram is for
	return &Opener{&secured{Security: s, context: context}, ours}, nil
}

// Open appends the plain APDU to dst, as [security.Context.Open] does, with its
// errors. title is the system title of the sender, 8 octets.
func (o *Opener) Open(dst, title []byte, c xdlms.Ciphered, plausible func([]byte) bool) ([]byte, error) {
	x := o.x
	recipient := c.General.Recipient
	if len(recipient) == 0 {
		recipient = o.ours
	}
	if !bytes.Equal(title, x.meter) || !bytes.Equal(recipient, x.Title) {
		x.received = keyed{} // keys are those of two titles
	}
	x.meter, x.Title = append(x.meter[:0], title...), append(x.Title[:0], recipient...)
	context, err := x.receivingKey(&c)
	if err != nil {
		return dst, err
	}
	return context.OpenWith(dst, title, c.Protected, c.General.Authentic, plausible)
}
