/** Entries of a leaf and children of a branch, at most: small enough to be copied in passing, large enough to keep the tree flat. */
const MAX_FANOUT = 64;

interface Leaf<V> {
  readonly epoch: number;
  readonly keys: string[];
  readonly values: V[];
}

interface Branch<V> {
  readonly epoch: number;
  /** `bounds[i]` is the smallest key that may be in `children[i + 1]`. */
  readonly bounds: string[];
  readonly children: TreeNode<V>[];
}

type TreeNode<V> = Leaf<V> | Branch<V>;

/** Entries in the order of their keys, as they were when it was frozen. */
export type Frozen<V> = TreeNode<V>;

/**
 * A B+ tree whose past can be kept: freeze() costs nothing, and afterwards a change copies the nodes on its way, each once, instead
 * of changing them. Whoever holds a frozen root holds all of it; whoever lets go leaves it to the garbage collector. Order is that
 * of UTF-16 code units. Leaves that shrink are not merged, only removed when they are empty.
 */
export class SharedTree<V> {
  #epoch = 0;
  #root: TreeNode<V> = { epoch: 0, keys: [], values: [] };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (isBranch(node)) node = node.children[above(node.bounds, key)]!;
    const at = below(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  set(key: string, value: V): void {
    this.#root = this.#own(this.#root);
    if (isFull(this.#root)) {
      const { left, bound, right } = split(this.#root);
      this.#root = { epoch: this.#epoch, bounds: [bound], children: [left, right] };
    }
    let node = this.#root;
    while (isBranch(node)) {
      let i = above(node.bounds, key);
      const child: TreeNode<V> = this.#own(node.children[i]!);
      node.children[i] = child;
      if (isFull(child)) {
        // On the way down, so that there is room above whenever a node is split.
        const { left, bound, right } = split(child);
        node.children.splice(i, 1, left, right);
        node.bounds.splice(i, 0, bound);
        if (key >= bound) i++;
      }
      node = node.children[i]!;
    }
    const at = below(node.keys, key);
    if (node.keys[at] === key) {
      node.values[at] = value;
      return;
    }
    node.keys.splice(at, 0, key);
    node.values.splice(at, 0, value);
    this.#size++;
  }

  /** False: it was not there, and nothing has changed. */
  delete(key: string): boolean {
    if (this.get(key) === undefined) return false;
    this.#root = this.#own(this.#root);
    if (this.#remove(this.#root, key)) this.#root = { epoch: this.#epoch, keys: [], values: [] };
    while (isBranch(this.#root) && this.#root.children.length === 1) this.#root = this.#root.children[0]!;
    this.#size--;
    return true;
  }

  /** All there is now, for as long as the caller wants. */
  freeze(): Frozen<V> {
    this.#epoch++;
    return this.#root;
  }

  /** Of an own node, whose key is there; true: nothing is left in it. */
  #remove(node: TreeNode<V>, key: string): boolean {
    if (!isBranch(node)) {
      const at = below(node.keys, key);
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return node.keys.length === 0;
    }
    const i = above(node.bounds, key);
    const child = this.#own(node.children[i]!);
    node.children[i] = child;
    if (!this.#remove(child, key)) return false;
    node.children.splice(i, 1);
    node.bounds.splice(Math.max(0, i - 1), 1);
    return node.children.length === 0;
  }

  /** The node itself if nobody else can have it, or a copy. */
  #own(node: TreeNode<V>): TreeNode<V> {
    if (node.epoch === this.#epoch) return node;
    if (isBranch(node)) return { epoch: this.#epoch, bounds: [...node.bounds], children: [...node.children] };
    return { epoch: this.#epoch, keys: [...node.keys], values: [...node.values] };
  }
}

/** In the order of keys. */
export function* entriesOf<V>(root: Frozen<V>): Generator<readonly [string, V], void, undefined> {
  const path: { readonly node: TreeNode<V>; next: number }[] = [{ node: root, next: 0 }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const { node, next } = top;
    top.next++;
    if (!isBranch(node)) {
      path.pop();
      for (let i = 0; i < node.keys.length; i++) yield [node.keys[i]!, node.values[i]!];
    } else if (next < node.children.length) path.push({ node: node.children[next]!, next: 0 });
    else path.pop();
  }
}

function isBranch<V>(node: TreeNode<V>): node is Branch<V> {
  return 'children' in node;
}

function isFull<V>(node: TreeNode<V>): boolean {
  return (isBranch(node) ? node.children.length : node.keys.length) >= MAX_FANOUT;
}

/** Of an own node: `left` is what is left of it. */
function split<V>(node: TreeNode<V>): { left: TreeNode<V>; bound: string; right: TreeNode<V> } {
  const { epoch } = node;
  const half = MAX_FANOUT / 2;
  if (!isBranch(node)) {
    const right: Leaf<V> = { epoch, keys: node.keys.splice(half), values: node.values.splice(half) };
    return { left: node, bound: right.keys[0]!, right };
  }
  const right: Branch<V> = { epoch, children: node.children.splice(half), bounds: node.bounds.splice(half) };
  return { left: node, bound: node.bounds.pop()!, right };
}

/** How many of the sorted `keys` are smaller than `key`. */
function below(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the sorted `bounds` are not larger than `key`. */
function above(bounds: readonly string[], key: string): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
