package dlms_cosem

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// defaultFormula is how most meters make their physical address of the serial
// number.
const defaultFormula = "SN % 10000 + 1000"

// namedFormulas are those that are no sum.
const (
	formulaLast2   = "last2"
	formulaLast3   = "last3"
	formulaLast4   = "last4"
	formulaMercury = "mercury" // the last three digits up to 239, else the last two; 1 for 0
)

var formulaSyntax = regexp.MustCompile(`^SN *(?:% *([1-9][0-9]{0,8}))? *(?:\+ *([0-9]{1,5}))?$`)

// addressOf makes a physical address of a serial number.
func addressOf(formula, serial string) (int, error) {
	digits := serial
	if i := strings.LastIndexFunc(serial, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = serial[i+1:] // behind the letters of the maker
	}
	if digits == "" {
		return 0, fmt.Errorf("serial number %q does not end with digits", serial)
	}
	last := func(n int) int {
		v, _ := strconv.Atoi(digits[max(0, len(digits)-n):]) // digits, and few
		return v
	}
	address := 0
	switch formula {
	case formulaLast2:
		address = last(2)
	case formulaLast3:
		address = last(3)
	case formulaLast4:
		address = last(4)
	case formulaMercury:
		if address = last(3); address > 239 {
			address = last(2)
		}
		address = max(address, 1)
	default:
		parts := formulaSyntax.FindStringSubmatch(formula)
		if parts == nil {
			return 0, fmt.Errorf("%q is no formula: %q and the like are, and last2, last3, last4 and mercury", formula, defaultFormula)
		}
		const most = 18
		number, err := strconv.ParseInt(digits[max(0, len(digits)-most):], 10, 64)
		if err != nil {
			return 0, err
		}
		if parts[1] != "" {
			modulus, _ := strconv.ParseInt(parts[1], 10, 64) // digits, and few
			number %= modulus
		}
		if parts[2] != "" {
			add, _ := strconv.ParseInt(parts[2], 10, 64) // likewise
			number += add
		}
		if number > maxPhysical {
			return 0, fmt.Errorf("serial number %q makes address %d, at most %d is possible", serial, number, maxPhysical)
		}
		address = int(number)
	}
	if address < 1 {
		return 0, fmt.Errorf("serial number %q makes address 0, which is nobody's", serial)
	}
	return address, nil
}

// serialNumbers reads 12345678, "12345678, 12345679" or a list of them.
func serialNumbers(v any) (list []string, err error) {
	switch v := v.(type) {
	case int64:
		list = []string{strconv.FormatInt(v, 10)}
	case string:
		for part := range strings.SplitSeq(v, ",") {
			list = append(list, strings.TrimSpace(part))
		}
	case []any:
		for _, e := range v {
			one, err := serialNumbers(e)
			if err != nil {
				return nil, err
			}
			list = append(list, one...)
		}
	default:
		return nil, fmt.Errorf(`a serial number is expected, "12345678", or several, "12345678, 12345679"`)
	}
	return list, nil
}

// addressesOfSerials makes the physical addresses of a request.
func addressesOfSerials(sc requestScope, s *Settings) any {
	formula := s.AddressFormula
	if formula == "" {
		formula = defaultFormula
	}
	if s.SerialNumber == nil {
		if s.AddressFormula != "" {
			sc.bad("address_formula", strconv.Quote(s.AddressFormula), "without serial_number it has no effect: set that, or remove it")
		}
		return s.PhysicalAddress
	}
	if s.PhysicalAddress != nil {
		sc.bad("serial_number", show(s.SerialNumber), "physical_address is set, too: remove one of the two")
		return s.PhysicalAddress
	}
	serials, err := serialNumbers(s.SerialNumber)
	if err != nil {
		sc.bad("serial_number", show(s.SerialNumber), "%v", err)
		return nil
	}
	var list []any
	for _, serial := range serials {
		n, err := addressOf(formula, serial)
		if err != nil {
			key, value := "serial_number", show(s.SerialNumber)
			if s.AddressFormula != "" {
				key, value = "address_formula", strconv.Quote(s.AddressFormula)
			}
			sc.bad(key, value, "%v", err)
			return nil
		}
		list = append(list, int64(n))
	}
	return list
}
