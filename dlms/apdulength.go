package dlms

import (
	"errors"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// APDULength returns how many octets the unsolicited, ciphered or signed APDU, or
// the block, at the front of b has by its own account: 0 if more octets are needed to
// tell, -1 if it cannot be told.
func APDULength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	tag := xdlms.APDUTag(b[0])
	var rest []byte
	var err error
	switch {
	case tag == xdlms.TagGeneralBlockTransfer:
		_, rest, err = xdlms.CutGeneralBlock(b)
	case tag.Ciphered():
		_, rest, err = xdlms.CutCiphered(b)
	case tag == xdlms.TagGeneralSigning:
		_, rest, err = xdlms.CutSigned(b)
	case tag == xdlms.TagDataNotification:
		var n xdlms.DataNotification
		if n, err = xdlms.ParseDataNotification(b); err == nil {
			length := push.Length(n.Body)
			if length > 0 {
				length += len(b) - len(n.Body)
			}
			return length
		}
	case tag == xdlms.TagEventNotification, tag == xdlms.TagInformationReport:
		return wholeLength(b, tag)
	default:
		return -1
	}
	switch {
	case err == nil:
		return len(b) - len(rest)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0
	default:
		return -1
	}
}

// wholeLength finds the end of an APDU whose parser wants nothing behind it.
func wholeLength(b []byte, tag xdlms.APDUTag) int {
	parse := func(b []byte) error { _, err := xdlms.ParseEventNotification(b); return err }
	if tag == xdlms.TagInformationReport {
		parse = func(b []byte) error { _, err := xdlms.ParseInformationReport(b); return err }
	}
	err := parse(b)
	var syntax *xdlms.SyntaxError
	switch {
	case err == nil:
		return len(b)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0
	case errors.As(err, &syntax) && syntax.Offset > 0 && parse(b[:syntax.Offset]) == nil:
		return syntax.Offset // octets left over
	default:
		return -1
	}
}
