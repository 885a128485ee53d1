package dlms_cosem

import (
	"errors"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// proposal is what is proposed to a meter that has not agreed to the usual. It
// is kept with what is learned.
type proposal struct {
	MaxPDU int  `json:"max_pdu,omitempty"` // as dlms.AssociationConfig has it; 0: as configured
	Few    bool `json:"few,omitempty"`     // only the services without which there is no reading
}

// fewServices are those that old meters agree to.
const fewServices = xdlms.ConformanceGet | xdlms.ConformanceBlockTransferWithGetOrRead | xdlms.ConformanceSelectiveAccess

// The initiate errors of a confirmed-service-error (Green Book Ed. 9, clause
// 9.5, ServiceError), and the class that they belong to.
const (
	initiateError            = 6
	incompatibleConformance  = 2
	pduSizeTooShort          = 3
	noLimit, middle, classic = -1, 1024, 128 // PDU sizes that meters are known to want
)

// fewShortServices are their like in short-name referencing.
const fewShortServices = xdlms.ConformanceRead | xdlms.ConformanceBlockTransferWithGetOrRead

// apply puts the proposal into a login.
func (p proposal) apply(cfg *dlms.AssociationConfig) {
	if p.MaxPDU != 0 {
		cfg.MaxPDU = p.MaxPDU
	}
	if p.Few {
		cfg.GeneralBlocks = 0
		cfg.Conformance = fewServices
		if cfg.ShortNames {
			cfg.Conformance = fewShortServices
		} else if cfg.Mechanism >= acse.HLS {
			cfg.Conformance |= xdlms.ConformanceAction // the proofs go by it
		}
	}
}

// proposeLess looks at a refusal: where the meter says that it does not agree
// to the services or to the size of messages, others are proposed, within the
// run. It reports whether there is something left to propose.
func (s *session) proposeLess(err error) bool {
	var reject *dlms.RejectError
	if !errors.As(err, &reject) || reject.ServiceError == nil || reject.ServiceError.Class != initiateError {
		return false
	}
	m := s.memory()
	switch code := reject.ServiceError.Code; {
	case code == incompatibleConformance && !m.Proposal.Few:
		m.Proposal.Few = true
		m.changed()
		return true
	case code == pduSizeTooShort && s.r.association.maxPDU == 0:
		next := map[int]int{0: noLimit, noLimit: middle, middle: classic}
		m.Proposal.MaxPDU = next[m.Proposal.MaxPDU]
		m.changed()
		return m.Proposal.MaxPDU != 0 // else that was the last: the usual again, in the next run
	default:
		return false
	}
}
