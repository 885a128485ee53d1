package dlms

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
)

// Over datagrams a request is repeated on silence, and the meter may have got
// the one before. Ciphered, the repetition has an invocation counter of its own:
// with the same one the meter would have to take it for a replay. The answer to either is the answer: they have the
// same invoke id. An HDLC frame is repeated as it is, for there the meter knows
// by its number that it is the same.

// anew returns what makes a request again, nil if the identical octets are to be repeated.
func (a *Association) anew(op operation, q appender) func() ([]byte, error) {
	if a.secured == nil || !a.c.cfg.Datagram {
		return nil
	}
	return func() ([]byte, error) { return a.encode(op, q) }
}

// anewAARQ is anew for an AARQ, whose initiate is ciphered.
func (a *Association) anewAARQ(aarq *acse.AARQ) func() ([]byte, error) {
	if a.secured == nil || !a.c.cfg.Datagram {
		return nil
	}
	return func() ([]byte, error) {
		sealed, err := a.secured.seal(a.initiate)
		if err != nil {
			return nil, err
		}
		aarq.UserInformation = append([]byte(nil), sealed...)
		return aarq.Append(nil)
	}
}
