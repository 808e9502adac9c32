"""What lots become: harvest, weigh-in, batches and packs, with what the rules of quantity say."""
