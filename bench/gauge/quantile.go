package gauge

import (
	"cmp"
	"slices"
)

// Quantile returns the value below which the part q of values lies, 0 <= q <= 1; the zero value
// of none.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(values))), len(sorted)-1)]
}

// Median is the middle value; of an even number, the upper one of the two.
func Median[T cmp.Ordered](values []T) T { return Quantile(values, 0.5) }
