package providers

// Fill returns v with those of the named members that v does not give and from
// does. Neither of the two is changed.
func Fill(v, from *Value, names ...string) *Value {
	if v.Kind() != Object {
		return v
	}
	filled := Value{kind: Object, children: append([]member(nil), v.children...)}
	for _, name := range names {
		if given := from.At(name); given.Given() && !v.At(name).Given() {
			filled.children = append(filled.children, member{name: name, value: *given})
		}
	}
	filled.children = lastOfEach(filled.children)
	return &filled
}
