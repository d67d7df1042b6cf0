using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace FuncX.Configuration;

/// <summary>Builds the tree of a YAML text, bounded in depth and aliases. Errors go to the list; the tree is null when the text is not YAML.</summary>
internal sealed class SourceParser
{
    private const int MaxDepth = 16;
    private const int MaxAliases = 64;

    private readonly Parser _parser;
    private readonly ConfigurationErrors _errors;
    private readonly Dictionary<AnchorName, SourceNode> _anchors = [];
    private int _aliases;

    private SourceParser(string text, ConfigurationErrors errors)
    {
        _parser = new Parser(new StringReader(text));
        _errors = errors;
    }

    public static SourceMap? Parse(string text, ConfigurationErrors errors)
    {
        try
        {
            return new SourceParser(text, errors).Document();
        }
        catch (YamlException problem)
        {
            errors.Add(Position(problem.Start.Line), Position(problem.Start.Column), $"not YAML: {Reason(problem)}");
            return null;
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            // The library's scanner meets some texts with index and state exceptions; to whoever wrote the file it is all the same.
            errors.Add(1, 1, $"not YAML: {problem.Message}");
            return null;
        }
    }

    private SourceMap? Document()
    {
        _parser.Consume<StreamStart>();
        if (_parser.TryConsume<StreamEnd>(out _))
        {
            _errors.Add(1, 1, "the file has no keys");
            return null;
        }

        _parser.Consume<DocumentStart>();
        var root = Node(0);
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<DocumentStart>(out var second))
            _errors.Add(Position(second.Start.Line), Position(second.Start.Column), "a second document begins here; one file is one document. Remove '---' and what follows");
        switch (root)
        {
            case SourceMap map:
                return map;
            case SourceScalar { IsNull: true }:
                _errors.Add(1, 1, "the file has no keys");
                return null;
            case null:
                return null;
            default:
                _errors.Add(root, $"the file is {root.Describe()}; expected keys, like 'name: ...'");
                return null;
        }
    }

    /// <summary>One value; null when it was refused and skipped.</summary>
    private SourceNode? Node(int depth)
    {
        var current = _parser.Current ?? throw new YamlException("the text ends too early");
        var (line, column) = (Position(current.Start.Line), Position(current.Start.Column));
        if (current is AnchorAlias alias)
        {
            _parser.MoveNext();
            if (++_aliases > MaxAliases)
                throw new YamlException(alias.Start, alias.End, $"more than {MaxAliases} aliases (*name)");
            if (!_anchors.TryGetValue(alias.Value, out var target))
                throw new YamlException(alias.Start, alias.End, $"'*{alias.Value}' names no anchor that ended above it");
            return target;
        }

        if (depth > MaxDepth)
            throw new YamlException(current.Start, current.End, $"nested deeper than {MaxDepth} levels");
        if (current is not NodeEvent node)
            throw new YamlException(current.Start, current.End, $"expected a value");
        if (!node.Tag.IsEmpty)
            _errors.Add(line, column, $"the tag '{Shown(node)}' is not used in this file; remove it");
        SourceNode? result = current switch
        {
            SequenceStart => List(depth, line, column),
            MappingStart => Map(depth, line, column),
            _ => Scalar(line, column),
        };
        if (!node.Anchor.IsEmpty && result is not null)
            _anchors[node.Anchor] = result;
        return result;
    }

    private SourceScalar Scalar(int line, int column)
    {
        var scalar = _parser.Consume<Scalar>();
        return new SourceScalar(line, column, scalar.Value, scalar.Style is ScalarStyle.Plain or ScalarStyle.Any);
    }

    private SourceList List(int depth, int line, int column)
    {
        _parser.Consume<SequenceStart>();
        var items = new List<SourceNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            if (Node(depth + 1) is { } item)
                items.Add(item);
        }

        return new SourceList(line, column, items);
    }

    private SourceMap Map(int depth, int line, int column)
    {
        _parser.Consume<MappingStart>();
        var entries = new List<KeyValuePair<SourceScalar, SourceNode>>();
        var seen = new Dictionary<string, SourceScalar>(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var key = Node(depth + 1);
            var value = Node(depth + 1);
            if (key is null || value is null)
                continue;
            if (key is not SourceScalar name)
                _errors.Add(key, $"a key must be a word; this one is {key.Describe()}");
            else if (seen.TryGetValue(name.Text, out var first))
                _errors.Add(name, $"the key '{name.Text}' stands here for the second time; the first is in line {first.Line}");
            else
            {
                seen.Add(name.Text, name);
                entries.Add(new KeyValuePair<SourceScalar, SourceNode>(name, value));
            }
        }

        return new SourceMap(line, column, entries);
    }

    private static string Shown(NodeEvent node) => node.Tag.IsNonSpecific ? "!" : node.Tag.Value;

    private static int Position(long number) => (int)Math.Clamp(number, 1, int.MaxValue - 1);

    private static string Reason(YamlException problem)
    {
        var message = problem.Message;
        // Some messages begin with their own "(Line: 3, Col: 5, Idx: 40) - (...): ", which would say the place twice.
        var end = message.StartsWith("(Line:", StringComparison.Ordinal) ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return end > 0 ? message[(end + 3)..] : message;
    }
}
