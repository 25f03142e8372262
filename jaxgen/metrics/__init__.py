"""How good samples and captions are: FID and its kin, BLEU and its kin, truth about scenes."""
