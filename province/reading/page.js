// Sorting, and looking for words, inside one page; the page is complete without it.
(function(){
var table=document.querySelector("table[data-sort]");if(!table)return;
var body=table.tBodies[0],rows=Array.prototype.slice.call(body.rows);
var input=document.querySelector("input[type=search]"),count=document.querySelector("output");
var by=new Intl.Collator("vi",{numeric:true});
function fold(t){return t.normalize("NFD").replace(/[\u0300-\u036f]/g,"").replace(/[\u0111\u0110]/g,"d").toLowerCase()}
Array.prototype.forEach.call(table.tHead.rows[0].cells,function(head,place){
head.querySelector("button").addEventListener("click",function(){
var down=head.getAttribute("aria-sort")==="ascending",sign=down?-1:1;
Array.prototype.forEach.call(table.tHead.rows[0].cells,function(h){h.removeAttribute("aria-sort")});
head.setAttribute("aria-sort",down?"descending":"ascending");
var keyed=rows.map(function(row){return[row.cells[place].textContent,row]});
keyed.sort(function(a,b){return sign*by.compare(a[0],b[0])});
var all=document.createDocumentFragment();keyed.forEach(function(pair){all.appendChild(pair[1])});body.appendChild(all)})});
input.parentNode.hidden=false;
input.addEventListener("input",function(){
var words=fold(input.value).split(/\s+/).filter(Boolean),left=0;
rows.forEach(function(row){var text=fold(row.textContent),hit=words.every(function(w){return text.indexOf(w)>=0});
row.className=hit?"":"h";if(hit)left++});
count.textContent=left+" / "+rows.length})})();
