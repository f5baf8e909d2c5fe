package embedded

func runLoad(dir, addr, life string) error { return nil }
