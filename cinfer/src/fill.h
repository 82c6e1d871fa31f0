static void mnw_fill(mnw_kernels *k) {
#ifdef MNW_MULTIPLIES
    k->tall = mnw_sum_tall;
    k->thin = MNW_THIN;
    k->wide = mnw_sum_wide;
    k->middle = MNW_MIDDLE;
    k->least = mnw_sum_least;
    k->gates = mnw_gates;
    k->rows = MNW_ROWS;
    k->columns = MNW_VECS * MNW_LANES;
    k->few = MNW_LEAST * MNW_LANES;
    k->most = MNW_WIDE * MNW_LANES;
    k->half = MNW_HALF * MNW_LANES;
#endif
#if !MNW_FUSED
    k->unary = mnw_unary;
    k->binary = mnw_binary;
    k->mix = MNW_mix < 256 ? mnw_mix_of : NULL;
    k->lstm = MNW_lstm < 256 ? mnw_lstm_of : NULL;
    k->mingru = MNW_mingru < 256 ? mnw_mingru_of : NULL;
    k->gru = MNW_gru < 256 ? mnw_gru_of : NULL;
#endif
}
