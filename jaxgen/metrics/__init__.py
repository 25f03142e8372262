"""What samples and captions are worth: FID and its kin, BLEU and its kin, truth about scenes."""
