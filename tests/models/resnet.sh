# Z10: the residual networks vision/resnet and vision/cifar_resnet have the parameters and multiply-adds of the literature.
count() { # file, options, parameters, multiply-adds
  "$DNNC" summary "$ROOT/models/vision/$1.dnn" $2 >"$TMP/table"
  grep -q "^$3 parameters" "$TMP/table" && grep -q "^$4\*N multiply-adds" "$TMP/table" ||
    { echo "$1 $2"; tail -n 4 "$TMP/table"; exit 1; }
}
count resnet '--set depth=18' 11689512 1814073344
count resnet '--set depth=34' 21797672 3663761408
count resnet '' 25557032 4089184256
count resnet '--set early=true' 25557032 3857973248
count resnet '--set depth=101' 44549160 7801405440
count resnet '--set depth=152' 60192808 11513626624
count cifar_resnet '' 269722 40551040
count cifar_resnet '--set n=9' 853018 125485696
if "$DNNC" check "$ROOT/models/vision/resnet.dnn" --set depth=51 2>"$TMP/refused"; then exit 1; fi
grep -q 'there is no ResNet-51 \[E0414\]' "$TMP/refused"
