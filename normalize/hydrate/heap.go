package hydrate

// heap is a binary heap: its first item is one that comes before all others.
type heap[T any] struct {
	items  []T
	before func(a, b T) bool
}

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	for i := len(h.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(h.items[i], h.items[parent]) {
			return
		}
		h.items[i], h.items[parent] = h.items[parent], h.items[i]
		i = parent
	}
}

// pop takes the first item; the heap must not be empty.
func (h *heap[T]) pop() T {
	first, last := h.items[0], len(h.items)-1
	var none T
	h.items[0], h.items[last] = h.items[last], none
	h.items = h.items[:last]
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < last && h.before(h.items[child], h.items[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
}

func (h *heap[T]) empty() bool { return len(h.items) == 0 }

func (h *heap[T]) first() T { return h.items[0] }
